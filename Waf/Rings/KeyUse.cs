using System.Numerics;

namespace WebRtcIms.Waf.Rings;

/// <summary>
/// Bounds how often a long-term key encrypts, because AES-GCM nonces are random (NIST SP 800-38D §8.3). A ring rotates by itself before
/// the bound. For a key of the settings, an operator must replace it.
/// </summary>
internal sealed partial class KeyUse(ILogger<KeyUse> logger)
{
    /// <summary>Counts one token; false when there may be no more.</summary>
    public bool TryAdd(KeyMaterial key)
    {
        var uses = key.AddUse();
        if (uses > key.Limit)
        {
            if (uses == key.Limit + 1) LogUsedUp(key.Kid, key.Limit);
            return false;
        }

        // At 2^27, 2^28 and so on.
        if (uses >= KeyMaterial.RotateAfter && BitOperations.IsPow2(uses)) LogUsedOften(key.Kid, uses, key.Limit);
        return true;
    }

    [LoggerMessage(1, LogLevel.Warning,
        "The long-term key {Kid} has encrypted {Uses} tokens, of at most {Limit}. A ring rotates now; replace a key of the settings")]
    private partial void LogUsedOften(string kid, long uses, long limit);

    [LoggerMessage(2, LogLevel.Error,
        "The long-term key {Kid} has encrypted {Limit} tokens, and encrypts no more. A ring rotates now; replace a key of the settings")]
    private partial void LogUsedUp(string kid, long limit);
}
