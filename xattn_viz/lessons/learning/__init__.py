"""Small encoder-decoders of the layer, trained while one watches: tasks, models, and the training itself."""
