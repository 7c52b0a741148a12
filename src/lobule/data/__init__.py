"""From a folder of images to a manifest and a split that no case crosses."""
