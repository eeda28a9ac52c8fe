"""Use trained generators: edit styles, interpolate latents, project images into styles, and translate image files."""
