namespace WebRtcIms.Chaos.Tests;

/// <summary>The system starts once, and the faults follow each other.</summary>
[CollectionDefinition(nameof(SharedSystem))]
public sealed class SharedSystem : ICollectionFixture<ChaosSystem>;
