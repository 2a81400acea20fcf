using System.Buffers.Binary;
using WebRtcIms.EpCscf.Registration;

namespace WebRtcIms.EpCscf.Connections;

/// <summary>
/// Encrypts hand-overs (AES-256-GCM). Redis and its other clients cannot read SDP, and cannot forge, change, replay or redirect a message.
/// Each sender has a key for its lifetime, derived from the key of the deployment (HKDF, RFC 5869), and a counter. The counter is the
/// nonce, and a receiver accepts only rising counters.
/// </summary>
/// <remarks>Format: 8 octets sender, 8 octets counter, ciphertext, 16 octets tag. Plaintext: kind, binding (24 octets), octets.</remarks>
/// <param name="deploymentKey">32 octets that all replicas share.</param>
/// <param name="self">This replica.</param>
internal sealed class HandOverSeal(byte[] deploymentKey, string self) : IDisposable
{
    public const int Overhead = IdLength + CounterLength + TagLength + 1 + BindingId.OctetLength;

    private const int IdLength = 8;
    private const int CounterLength = 8;
    private const int TagLength = 16;
    private const int NonceLength = 12;

    private readonly AesGcm _own = Cipher(deploymentKey, self);
    private readonly Dictionary<string, Sender> _senders = [];
    private ulong _counter;

    /// <summary>The sender that a message names. It is not authenticated yet.</summary>
    public static string? SenderOf(ReadOnlySpan<byte> octets) =>
        octets.Length < Overhead ? null : Convert.ToHexStringLower(octets[..IdLength]);

    /// <summary>Call it from one thread at a time, and send in the same order.</summary>
    public byte[] Seal(string target, HandOver handOver)
    {
        var plain = new byte[1 + BindingId.OctetLength + handOver.Octets.Length];
        plain[0] = (byte)handOver.Kind;
        handOver.Binding.WriteTo(plain.AsSpan(1));
        handOver.Octets.Span.CopyTo(plain.AsSpan(1 + BindingId.OctetLength));

        var sealedOctets = new byte[IdLength + CounterLength + plain.Length + TagLength];
        Convert.FromHexString(self).CopyTo(sealedOctets, 0);
        BinaryPrimitives.WriteUInt64BigEndian(sealedOctets.AsSpan(IdLength), ++_counter);
        var text = sealedOctets.AsSpan(IdLength + CounterLength, plain.Length);
        _own.Encrypt(Nonce(_counter), plain, text, sealedOctets.AsSpan(^TagLength..), Encoding.ASCII.GetBytes(target));
        return sealedOctets;
    }

    /// <summary>Null if no replica has sealed it for this one, or if it is a replay. Call it from one thread at a time.</summary>
    public HandOver? Open(ReadOnlySpan<byte> octets)
    {
        if (SenderOf(octets) is not { } name) return null;
        if (!_senders.TryGetValue(name, out var sender)) sender = new(Cipher(deploymentKey, name));
        var counter = BinaryPrimitives.ReadUInt64BigEndian(octets[IdLength..]);
        if (counter <= sender.Last) return null;
        var plain = new byte[octets.Length - IdLength - CounterLength - TagLength];
        try
        {
            sender.Cipher.Decrypt(
                Nonce(counter), octets[(IdLength + CounterLength)..^TagLength], octets[^TagLength..], plain, Encoding.ASCII.GetBytes(self));
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }

        sender.Last = counter;
        _senders[name] = sender;
        return new((HandOverKind)plain[0], BindingId.FromOctets(plain.AsSpan(1)), plain.AsMemory(1 + BindingId.OctetLength));
    }

    /// <summary>Forgets all other senders. Do not open their messages any more, because their counters are lost.</summary>
    public void Forget(IReadOnlySet<string> alive)
    {
        foreach (var name in _senders.Keys.Where(name => !alive.Contains(name)).ToList())
        {
            _senders.Remove(name, out var sender);
            sender!.Cipher.Dispose();
        }
    }

    public void Dispose()
    {
        _own.Dispose();
        foreach (var sender in _senders.Values) sender.Cipher.Dispose();
    }

    private static AesGcm Cipher(byte[] key, string sender) =>
        new(HKDF.DeriveKey(HashAlgorithmName.SHA256, key, 32, Convert.FromHexString(sender), "WebRtcIms eP-CSCF hand-over"u8.ToArray()),
            TagLength);

    private static byte[] Nonce(ulong counter)
    {
        var nonce = new byte[NonceLength];
        BinaryPrimitives.WriteUInt64BigEndian(nonce.AsSpan(^CounterLength..), counter);
        return nonce;
    }

    private sealed class Sender(AesGcm cipher)
    {
        public AesGcm Cipher { get; } = cipher;

        public ulong Last { get; set; }
    }
}
