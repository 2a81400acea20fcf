using System.Buffers.Binary;
using System.Buffers.Text;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Turn.Client.Authentication;

/// <summary>PASSWORD-ALGORITHM numbers (RFC 8489 §18.5.1).</summary>
internal enum PasswordAlgorithm : ushort
{
    /// <summary>The server offered none: MD5 as before RFC 8489, with MESSAGE-INTEGRITY.</summary>
    None = 0,
    Md5 = 1,
    Sha256 = 2,
}

/// <summary>The attributes of a 401 or 438 that a client sends back with its credential (RFC 8489 §9.2.5).</summary>
internal sealed class Challenge
{
    // The longest value that a receiver must be able to parse (RFC 8489 §14.9, §14.10).
    private const int MaxLength = 763;

    // The 24 bits after the nonce cookie, in base64 (RFC 8489 §9.2).
    private const int FeatureLength = 4;

    private readonly byte[] _passwordAlgorithms;

    private Challenge(byte[] realm, byte[] nonce, byte[] passwordAlgorithms, bool offersTokens)
    {
        Realm = realm;
        Nonce = nonce;
        _passwordAlgorithms = passwordAlgorithms;
        PasswordAlgorithm = Strongest(passwordAlgorithms);
        OffersTokens = offersTokens;
    }

    public byte[] Realm { get; }

    public byte[] Nonce { get; }

    public PasswordAlgorithm PasswordAlgorithm { get; }

    /// <summary>Whether the server accepts tokens: the challenge has THIRD-PARTY-AUTHORIZATION (RFC 7635 §6.1).</summary>
    public bool OffersTokens { get; }

    private static ReadOnlySpan<byte> NonceCookie => "obMatJos2"u8;

    /// <exception cref="TurnException">The challenge cannot be answered.</exception>
    public static Challenge Read(in StunMessageReader response)
    {
        if (!response.TryGet(StunAttributeType.Nonce, out var nonce) || nonce.Length is 0 or > MaxLength)
            throw new TurnException("The TURN server asked for credentials without a usable NONCE");
        if (!response.TryGet(StunAttributeType.Realm, out var realm) || realm.Length is 0 or > MaxLength)
            throw new TurnException("The TURN server asked for credentials without a usable REALM");

        var offersTokens = response.Has(StunAttributeType.ThirdPartyAuthorization);
        if (!AnnouncesPasswordAlgorithms(nonce)) return new Challenge(realm.ToArray(), nonce.ToArray(), [], offersTokens);

        // RFC 8489 §9.2.5: an attacker may have removed the list to force a weaker hash, so there is no retry.
        if (!response.TryGet(StunAttributeType.PasswordAlgorithms, out var algorithms) || Strongest(algorithms) == PasswordAlgorithm.None)
            throw new TurnException("The TURN server's NONCE announces PASSWORD-ALGORITHMS, and the list has no usable one");
        return new Challenge(realm.ToArray(), nonce.ToArray(), algorithms.ToArray(), offersTokens);
    }

    /// <summary>Writes the received list unchanged, and the choice (RFC 8489 §9.2.5). Only for passwords: a token is not hashed.</summary>
    public void WritePasswordAlgorithm(ref StunMessageWriter request)
    {
        if (PasswordAlgorithm == PasswordAlgorithm.None) return;
        request.Write(StunAttributeType.PasswordAlgorithms, _passwordAlgorithms);
        Span<byte> choice = stackalloc byte[4];
        choice.Clear();
        BinaryPrimitives.WriteUInt16BigEndian(choice, (ushort)PasswordAlgorithm);
        request.Write(StunAttributeType.PasswordAlgorithm, choice);
    }

    private static bool AnnouncesPasswordAlgorithms(ReadOnlySpan<byte> nonce)
    {
        if (nonce.Length < NonceCookie.Length + FeatureLength || !nonce.StartsWith(NonceCookie)) return false;
        Span<byte> features = stackalloc byte[3];
        var status = Base64.DecodeFromUtf8(nonce.Slice(NonceCookie.Length, FeatureLength), features, out _, out _);
        return status == OperationStatus.Done && (features[0] & 0x80) != 0;
    }

    /// <summary>Reads entries of a number, a length and padded parameters of that length (RFC 8489 §14.11).</summary>
    private static PasswordAlgorithm Strongest(ReadOnlySpan<byte> algorithms)
    {
        var strongest = PasswordAlgorithm.None;
        while (algorithms.Length >= 4)
        {
            var algorithm = (PasswordAlgorithm)BinaryPrimitives.ReadUInt16BigEndian(algorithms);
            var length = BinaryPrimitives.ReadUInt16BigEndian(algorithms[2..]);
            var isKnown = length == 0 && algorithm is PasswordAlgorithm.Md5 or PasswordAlgorithm.Sha256;
            if (isKnown && algorithm > strongest) strongest = algorithm;
            algorithms = algorithms[Math.Min(algorithms.Length, 4 + StunHeader.Padded(length))..];
        }

        return strongest;
    }
}
