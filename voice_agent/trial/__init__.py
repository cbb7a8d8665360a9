"""One node on its own: handed what it takes in a call, listened to at every port."""
