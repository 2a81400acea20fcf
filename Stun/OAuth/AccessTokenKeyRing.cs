namespace WebRtcIms.Stun.OAuth;

/// <summary>
/// The long-term keys that a server accepts tokens under, by kid. Immutable: a roll-over replaces the ring, with the old
/// key in it until its last token has died.
/// </summary>
public sealed class AccessTokenKeyRing
{
    private readonly AccessTokenKey[] _keys;

    /// <exception cref="ArgumentException">Two keys have one kid.</exception>
    public AccessTokenKeyRing(IEnumerable<AccessTokenKey> keys)
    {
        _keys = [.. keys];
        var twice = _keys.GroupBy(key => key.KeyId).FirstOrDefault(group => group.Count() > 1);
        if (twice is not null) throw new ArgumentException($"The key id '{twice.Key}' is given twice", nameof(keys));
    }

    public bool IsEmpty => _keys.Length == 0;

    /// <summary>Finds the live key with this kid.</summary>
    public AccessTokenKey? Find(ReadOnlySpan<byte> keyId, DateTimeOffset now)
    {
        foreach (var key in _keys)
        {
            if (key.KeyIdOctets.SequenceEqual(keyId)) return key.NotAfter < now ? null : key;
        }

        return null;
    }
}
