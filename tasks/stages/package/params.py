"""Sections of params.yaml that stage `package` reads."""

from tasks.core.documents.config import FrozenModel
from tasks.core.params.base_model import BaseModelParams
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.prompts import Prompts
from tasks.core.params.training import Training
from tasks.core.params.use_case import UseCase


class Params(FrozenModel):
    use_case: UseCase
    prompts: Prompts
    base_model: BaseModelParams
    training: Training
    evaluation: Evaluation
