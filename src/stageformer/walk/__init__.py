"""`stageformer walk`: one sentence through the whole model, step by step, as one HTML file that needs no network.

Read it in this order: ``trace.py`` runs the model once and keeps every matrix, ``search.py`` finds the translation and
how each token was chosen, ``steps.py`` lists the screens, ``explanations.py`` says what each of them means, ``page.py``
fills ``walk.html``. All pictures are SVG, drawn by ``matrix.js`` and ``pictures.js``; ``walk.js`` turns the pages.
"""
