"""Keys and passwords: `providers` know their form, `prefixed` how keys are mostly written, `blocks` their surroundings,
`assigned` that somebody says so."""
