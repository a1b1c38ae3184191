"""hashmark proves whether the training images and captions on your disk are the ones in your S3 bucket."""
