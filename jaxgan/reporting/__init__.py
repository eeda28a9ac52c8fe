"""Write the report of a run, the comparison of several runs, and the model card of a trained model."""
