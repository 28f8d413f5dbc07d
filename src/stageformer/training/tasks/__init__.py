"""What is learnt: one file per task, each with its targets and its loss; ``base.py`` says what a task must offer."""
