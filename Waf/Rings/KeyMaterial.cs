using WebRtcIms.Contracts.RegistrationTokens;
using WebRtcIms.Stun.OAuth;

namespace WebRtcIms.Waf.Rings;

/// <summary>
/// A long-term key in the memory of this replica, which counts its uses. Keys that leave a ring are not disposed: a request may still use
/// them. The garbage collector frees them.
/// </summary>
internal sealed class KeyMaterial : IDisposable
{
    /// <summary>
    /// The most tokens that one replica encrypts under one key. Nonces are random. See docs/security.md for the figures.
    /// </summary>
    public const long MaxUses = 1L << 28;

    /// <summary>The ring rotates from here on, so that there is time until <see cref="MaxUses"/>.</summary>
    public const long RotateAfter = MaxUses / 2;

    /// <summary>
    /// The most tokens that one process encrypts under a key of the settings, which does not rotate: the limit of NIST SP 800-38D §8.3 for
    /// all users of the key together. Operators replace the key before.
    /// </summary>
    public const long MaxStaticUses = 1L << 32;

    private readonly Lazy<AccessTokenKey> _turn;
    private readonly Lazy<RegistrationTokenKey> _ims;
    private long _uses;

    public KeyMaterial(string kid, AccessTokenAlgorithm algorithm, byte[] octets, long uses = 0, long maxUses = MaxUses)
    {
        Limit = maxUses;
        (Kid, Algorithm, Octets) = (kid, algorithm, octets.AsSpan(0, algorithm.KeyLength()).ToArray());
        _turn = new Lazy<AccessTokenKey>(() => new AccessTokenKey(kid, algorithm, Octets));
        _ims = new Lazy<RegistrationTokenKey>(() => new RegistrationTokenKey(kid, Octets));
        _uses = uses;
    }

    public string Kid { get; }

    public AccessTokenAlgorithm Algorithm { get; }

    /// <summary>K.</summary>
    public byte[] Octets { get; }

    /// <summary>Encrypts TURN tokens.</summary>
    public AccessTokenKey Turn => _turn.Value;

    /// <summary>Encrypts registration tokens.</summary>
    public RegistrationTokenKey Ims => _ims.Value;

    public long Uses => Interlocked.Read(ref _uses);

    /// <summary>The most tokens under it.</summary>
    public long Limit { get; }

    /// <summary>Counts one token, and returns the count.</summary>
    public long AddUse() => Interlocked.Increment(ref _uses);

    public void Dispose()
    {
        if (_turn.IsValueCreated) _turn.Value.Dispose();
        if (_ims.IsValueCreated) _ims.Value.Dispose();
    }

    public override string ToString() => $"{Kid}: ***";
}
