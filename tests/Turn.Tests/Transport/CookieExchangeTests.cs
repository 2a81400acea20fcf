using Org.BouncyCastle.Security;
using Org.BouncyCastle.Tls;
using Org.BouncyCastle.Tls.Crypto.Impl.BC;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Turn.Tests.Running;
using WebRtcIms.Turn.Transport.Dtls;

namespace WebRtcIms.Turn.Tests.Transport;

public sealed class CookieExchangeTests
{
    /// <summary>Anybody can send this, from any address: it must not be worth a line in the log.</summary>
    [Theory]
    [InlineData(1, "the record's")]
    [InlineData(25, "the client's")]
    [Requirement("ABUSE-7")]
    public void ReservedVersion_IsNoClientHello_AndNoException(int at, string whose)
    {
        var hello = DtlsHello.Write([]);
        (hello[at], hello[at + 1]) = (0xFE, 0xFE);
        var exchange = new CookieExchange(new BcTlsCrypto(new SecureRandom()), TimeProvider.System);
        var sender = new Counted();

        Assert.True(DtlsRecord.IsClientHello(hello));
        Assert.True(exchange.Verify(EngineClient.Peer("198.51.100.7:40000"), hello, sender) is null, whose);
        Assert.Equal(0, sender.Sent);
        exchange.Verify(EngineClient.Peer("198.51.100.7:40000"), DtlsHello.Write([]), sender);
        Assert.Equal(1, sender.Sent);
    }

    private sealed class Counted : DatagramSender
    {
        public int Sent { get; private set; }

        public int GetSendLimit() => 1200;

        public void Send(byte[] buf, int off, int len) => Sent++;

        public void Send(ReadOnlySpan<byte> buffer) => Sent++;
    }
}
