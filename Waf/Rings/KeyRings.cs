namespace WebRtcIms.Waf.Rings;

/// <summary>The keys of all TURN servers, and those for registration tokens.</summary>
internal sealed class KeyRings(IEnumerable<RingSettings> settings) : IDisposable
{
    private readonly Dictionary<string, KeyRing> _turn =
        settings.Where(ring => !ring.IsIms).ToDictionary(ring => ring.Name, ring => new KeyRing(ring));

    public IReadOnlyCollection<KeyRing> Turn => _turn.Values;

    /// <summary>The keys for registration tokens; null if this server issues none.</summary>
    public KeyRing? Ims { get; } = settings.Where(ring => ring.IsIms).Select(ring => new KeyRing(ring)).SingleOrDefault();

    public IEnumerable<KeyRing> All => Ims is null ? Turn : [.. Turn, Ims];

    /// <summary>The ring of a TURN server; null for an unknown name.</summary>
    public KeyRing? Find(string server) => _turn.GetValueOrDefault(server);

    /// <summary>The keys for registration tokens of a domain; null for another domain.</summary>
    public KeyRing? FindIms(string domain) => Ims?.Settings.Name == domain ? Ims : null;

    /// <summary>The keys that the store has and that rotate. A TURN server and the home domain do not have the same name.</summary>
    public KeyRing? FindRotating(string name) => All.FirstOrDefault(ring => ring.Rotates && ring.Settings.Name == name);

    public void Dispose()
    {
        foreach (var key in All.SelectMany(ring => ring.Keys)) key.Material.Dispose();
    }
}
