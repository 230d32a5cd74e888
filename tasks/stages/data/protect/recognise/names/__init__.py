"""Names of people: `cues` announce them, the `gazetteer` knows them, the `model` reads what is left."""
