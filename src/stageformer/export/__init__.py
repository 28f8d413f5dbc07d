"""The model in the formats of other engines; needs the optional packages of ``stageformer[export]``."""
