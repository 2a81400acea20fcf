namespace WebRtcIms.Stun.OAuth;

/// <summary>
/// The long-term keys of a server, by kid. Immutable: a rotation replaces the ring, and keeps the old key until its last token
/// has expired.
/// </summary>
public sealed class AccessTokenKeyRing
{
    private readonly AccessTokenKey[] _keys;

    /// <summary>Makes a ring of keys.</summary>
    /// <exception cref="ArgumentException">Two keys have one kid.</exception>
    public AccessTokenKeyRing(IEnumerable<AccessTokenKey> keys)
    {
        _keys = [.. keys];
        var repeated = _keys.GroupBy(key => key.KeyId).FirstOrDefault(group => group.Count() > 1);
        if (repeated is not null) throw new ArgumentException($"The key id '{repeated.Key}' is given twice", nameof(keys));
    }

    public bool IsEmpty => _keys.Length == 0;

    /// <summary>Finds the key with this kid, if it has not expired.</summary>
    public AccessTokenKey? Find(ReadOnlySpan<byte> keyId, DateTimeOffset now)
    {
        foreach (var key in _keys)
        {
            if (key.KeyIdOctets.SequenceEqual(keyId)) return key.NotAfter < now ? null : key;
        }

        return null;
    }
}
