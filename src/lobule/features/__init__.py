"""From images to backbone features, each computed once, ever."""
