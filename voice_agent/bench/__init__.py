"""What each installed node is worth on this machine: accuracy, delay, cost, memory."""
