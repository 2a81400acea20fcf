using System.Buffers.Binary;
using System.Buffers.Text;
using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Client.Authentication;

/// <summary>PASSWORD-ALGORITHM numbers (RFC 8489 §18.5.1).</summary>
internal enum PasswordAlgorithm : ushort
{
    /// <summary>None was offered: MD5 as before RFC 8489, under MESSAGE-INTEGRITY.</summary>
    None = 0,
    Md5 = 1,
    Sha256 = 2,
}

/// <summary>What a server says in its 401 or 438, and what a client sends back with its credential (RFC 8489 §9.2.5).</summary>
internal sealed class Challenge
{
    // RFC 8489 §14.9, §14.10: what a receiver must be able to parse.
    private const int MaxLength = 763;

    // The nonce cookie and the 24 bits behind it (RFC 8489 §9.2).
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

    /// <summary>Whether THIRD-PARTY-AUTHORIZATION is there: the server takes tokens (RFC 7635 §6.1).</summary>
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
        if (!SaysPasswordAlgorithms(nonce)) return new Challenge(realm.ToArray(), nonce.ToArray(), [], offersTokens);

        // RFC 8489 §9.2.5: whoever removed the list on the way wants a weaker hash; no retry.
        if (!response.TryGet(StunAttributeType.PasswordAlgorithms, out var algorithms) || Strongest(algorithms) == PasswordAlgorithm.None)
            throw new TurnException("The TURN server's NONCE announces PASSWORD-ALGORITHMS, and the list has no usable one");
        return new Challenge(realm.ToArray(), nonce.ToArray(), algorithms.ToArray(), offersTokens);
    }

    /// <summary>The list exactly as it came, and the choice (RFC 8489 §9.2.5). Only for passwords: a token is not hashed.</summary>
    public void WritePasswordAlgorithm(ref StunMessageWriter request)
    {
        if (PasswordAlgorithm == PasswordAlgorithm.None) return;
        request.Write(StunAttributeType.PasswordAlgorithms, _passwordAlgorithms);
        Span<byte> choice = stackalloc byte[4];
        choice.Clear();
        BinaryPrimitives.WriteUInt16BigEndian(choice, (ushort)PasswordAlgorithm);
        request.Write(StunAttributeType.PasswordAlgorithm, choice);
    }

    private static bool SaysPasswordAlgorithms(ReadOnlySpan<byte> nonce)
    {
        if (nonce.Length < NonceCookie.Length + FeatureLength || !nonce.StartsWith(NonceCookie)) return false;
        Span<byte> features = stackalloc byte[3];
        var isBase64 = Base64.DecodeFromUtf8(nonce.Slice(NonceCookie.Length, FeatureLength), features, out _, out _) == System.Buffers.OperationStatus.Done;
        return isBase64 && (features[0] & 0x80) != 0;
    }

    /// <summary>Each entry is a number, a length and that many octets of parameters, padded (RFC 8489 §14.11).</summary>
    private static PasswordAlgorithm Strongest(ReadOnlySpan<byte> algorithms)
    {
        var strongest = PasswordAlgorithm.None;
        while (algorithms.Length >= 4)
        {
            var algorithm = (PasswordAlgorithm)BinaryPrimitives.ReadUInt16BigEndian(algorithms);
            var length = BinaryPrimitives.ReadUInt16BigEndian(algorithms[2..]);
            if (length == 0 && algorithm is PasswordAlgorithm.Md5 or PasswordAlgorithm.Sha256 && algorithm > strongest) strongest = algorithm;
            algorithms = algorithms[Math.Min(algorithms.Length, 4 + StunHeader.Padded(length))..];
        }

        return strongest;
    }
}
