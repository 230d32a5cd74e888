"""Keys and passwords: `providers` know their form, `blocks` their surroundings, `assigned` that somebody says so."""
