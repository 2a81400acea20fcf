using Org.BouncyCastle.Security;
using Org.BouncyCastle.Tls;
using Org.BouncyCastle.Tls.Crypto.Impl.BC;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Turn.Tests.Running;
using WebRtcIms.Turn.Transport.Dtls;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>A cookie proves one address and port only (RFC 6347 §4.2.1).</summary>
public sealed class CookieAddressTests
{
    private const string Owner = "198.51.100.7:40000";

    private readonly CookieExchange _exchange = new(new BcTlsCrypto(new SecureRandom()), TimeProvider.System);
    private readonly Recorder _sender = new();

    [Theory]
    [InlineData("198.51.100.8:40000")]
    [InlineData("198.51.100.7:40001")]
    [InlineData("198.51.100.7:40256")]
    [InlineData("[2001:db8::7]:40000")]
    [InlineData("[::c633:6407]:40000")]
    [Requirement("ABUSE-7")]
    [Requirement("TURN-E1")]
    public void CookieOfOneAddress_PresentedFromAnother_GetsAnotherCookie(string other)
    {
        var cookie = CookieOf(Owner);

        Assert.Null(_exchange.Verify(EngineClient.Peer(other), DtlsHello.Write(cookie), _sender));
        Assert.Equal(2, _sender.Sent.Count);
        Assert.Equal(DtlsHello.HelloVerifyRequest, DtlsHello.TypeOf(_sender.Sent[1]));
        Assert.NotNull(_exchange.Verify(EngineClient.Peer(Owner), DtlsHello.Write(cookie), _sender));
    }

    // The octets after the headers of the record (13) and of the handshake (12): version, length, cookie.
    private byte[] CookieOf(string address)
    {
        Assert.Null(_exchange.Verify(EngineClient.Peer(address), DtlsHello.Write([]), _sender));
        var answer = Assert.Single(_sender.Sent);
        return answer[28..(28 + answer[27])];
    }

    private sealed class Recorder : DatagramSender
    {
        public List<byte[]> Sent { get; } = [];

        public int GetSendLimit() => 1200;

        public void Send(byte[] buf, int off, int len) => Sent.Add(buf[off..(off + len)]);

        public void Send(ReadOnlySpan<byte> buffer) => Sent.Add(buffer.ToArray());
    }
}
