"""The tests of paddock: unit, wire, journeys, and the tiers that need more than a checkout."""
