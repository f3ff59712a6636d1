"""Whatever people have in hand, a sound or a picture, to the arrays that a model reads."""
