namespace WebRtcIms.Waf.Rings;

/// <summary>The keys of all TURN servers.</summary>
internal sealed class KeyRings(IEnumerable<RingSettings> settings) : IDisposable
{
    private readonly Dictionary<string, KeyRing> _rings = settings.ToDictionary(ring => ring.Server, ring => new KeyRing(ring));

    public IReadOnlyCollection<KeyRing> All => _rings.Values;

    /// <summary>The ring of a TURN server; null for an unknown name.</summary>
    public KeyRing? Find(string server) => _rings.GetValueOrDefault(server);

    public void Dispose()
    {
        foreach (var key in _rings.Values.SelectMany(ring => ring.Keys)) key.Material.Dispose();
    }
}
