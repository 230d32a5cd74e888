"""Full fine-tuning."""

from tasks.core.params.training_methods.method import Method

FULL = Method(summary="all weights", trained_part="all weights of", adapter=None, approaches=("full_fine_tuning",))
