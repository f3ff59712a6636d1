"""Makes the weights of the small image models that come with the package: `make train-images`."""
