"""What every candidate is told besides its kind: scene, distances, sectors, cost, screening."""
