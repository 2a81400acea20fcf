using Org.BouncyCastle.Tls;
using Org.BouncyCastle.Tls.Crypto;
using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Transport.Dtls;

/// <summary>
/// Checks that a ClientHello comes from its source address, by a cookie made from both and without state (RFC 6347 §4.2.1). A cookie
/// expires within a minute, so that an attacker cannot collect cookies of addresses that it has for a short time only.
/// </summary>
/// <remarks>For one thread at a time.</remarks>
internal sealed class CookieExchange(TlsCrypto crypto, TimeProvider time)
{
    private static readonly TimeSpan SecretLifetime = TimeSpan.FromSeconds(30);

    private DtlsVerifier _former = new(crypto);
    private DtlsVerifier _current = new(crypto);
    private long _since = time.GetTimestamp();

    /// <summary>The request with which the handshake starts; null if the client was sent a cookie, or did not send a ClientHello.</summary>
    public DtlsRequest? Verify(in TransportAddress client, ReadOnlySpan<byte> datagram, DatagramSender sender)
    {
        ChangeSecret();
        var name = new byte[18];
        client.Address.CopyTo(name);
        (name[16], name[17]) = ((byte)(client.Port >> 8), (byte)client.Port);
        var hello = datagram.ToArray();
        try
        {
            return _former.VerifyRequest(name, hello, 0, hello.Length, NoSender.Instance) ?? _current.VerifyRequest(
                name, hello, 0, hello.Length, sender);
        }
        catch (ArgumentException)
        {
            // The library treats a reserved version as a mistake of its caller.
            return null;
        }
    }

    private void ChangeSecret()
    {
        var age = time.GetElapsedTime(_since);
        if (age < SecretLifetime) return;
        _former = age < 2 * SecretLifetime ? _current : new DtlsVerifier(crypto);
        _current = new DtlsVerifier(crypto);

        // The time counts from the due moment. Otherwise, without requests, the former secret would stay valid for too long.
        _since = age < 2 * SecretLifetime ? _since + (long)(SecretLifetime.TotalSeconds * time.TimestampFrequency) : time.GetTimestamp();
    }

    /// <summary>The cookie that is sent is that of the current secret.</summary>
    private sealed class NoSender : DatagramSender
    {
        public static readonly NoSender Instance = new();

        public int GetSendLimit() => 1200;

        public void Send(byte[] buf, int off, int len)
        {
        }

        public void Send(ReadOnlySpan<byte> buffer)
        {
        }
    }
}
