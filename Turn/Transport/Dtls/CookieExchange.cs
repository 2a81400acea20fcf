using Org.BouncyCastle.Tls;
using Org.BouncyCastle.Tls.Crypto;
using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Transport.Dtls;

/// <summary>
/// Whether a ClientHello comes from the address that it says. A cookie is made from both, and nothing is kept (RFC 6347 §4.2.1). It
/// is forgotten within a minute, so that nobody collects cookies of addresses that he will not have for long.
/// </summary>
/// <remarks>For one thread at a time.</remarks>
internal sealed class CookieExchange(TlsCrypto crypto, TimeProvider time)
{
    private static readonly TimeSpan SecretLifetime = TimeSpan.FromSeconds(30);

    private DtlsVerifier _former = new(crypto);
    private DtlsVerifier _current = new(crypto);
    private long _since = time.GetTimestamp();

    /// <summary>What the handshake begins with; null when the client was sent a cookie, or what it sent is no ClientHello.</summary>
    public DtlsRequest? Verify(in TransportAddress client, ReadOnlySpan<byte> datagram, DatagramSender sender)
    {
        ChangeSecret();
        var name = new byte[18];
        client.Address.CopyTo(name);
        (name[16], name[17]) = ((byte)(client.Port >> 8), (byte)client.Port);
        var hello = datagram.ToArray();
        try
        {
            return _former.VerifyRequest(name, hello, 0, hello.Length, Nobody.Instance) ?? _current.VerifyRequest(
                name, hello, 0, hello.Length, sender);
        }
        catch (ArgumentException)
        {
            // The library takes a version that is reserved for a mistake of its caller.
            return null;
        }
    }

    private void ChangeSecret()
    {
        var age = time.GetElapsedTime(_since);
        if (age < SecretLifetime) return;
        _former = age < 2 * SecretLifetime ? _current : new DtlsVerifier(crypto);
        _current = new DtlsVerifier(crypto);

        // Whenever somebody asks: from when it was due, or the former secret would serve for longer than it may.
        _since = age < 2 * SecretLifetime ? _since + (long)(SecretLifetime.TotalSeconds * time.TimestampFrequency) : time.GetTimestamp();
    }

    /// <summary>The cookie that is sent is that of the current secret.</summary>
    private sealed class Nobody : DatagramSender
    {
        public static readonly Nobody Instance = new();

        public int GetSendLimit() => 1200;

        public void Send(byte[] buf, int off, int len)
        {
        }

        public void Send(ReadOnlySpan<byte> buffer)
        {
        }
    }
}
