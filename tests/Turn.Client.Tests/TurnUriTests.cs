using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Turn.Client.Tests;

/// <summary>RFC 7065, with the table of its Appendix A among the cases.</summary>
[Requirement("RFC7065-3")]
[Requirement("TURN-E3")]
public sealed class TurnUriTests
{
    [Theory]
    [InlineData("turn:example.org", "example.org", 3478, TurnTransport.Udp, false)]
    [InlineData("turns:example.org", "example.org", 5349, TurnTransport.Tcp, true)]
    [InlineData("turn:example.org:8000", "example.org", 8000, TurnTransport.Udp, false)]
    [InlineData("turn:example.org?transport=udp", "example.org", 3478, TurnTransport.Udp, false)]
    [InlineData("turn:example.org?transport=tcp", "example.org", 3478, TurnTransport.Tcp, false)]
    [InlineData("turns:example.org?transport=tcp", "example.org", 5349, TurnTransport.Tcp, true)]
    [InlineData("turns:example.org?transport=udp", "example.org", 5349, TurnTransport.Udp, true)]
    [InlineData("TURN:Example.ORG:443?TRANSPORT=TCP", "example.org", 443, TurnTransport.Tcp, false)]
    [InlineData("turn:192.0.2.1:3478", "192.0.2.1", 3478, TurnTransport.Udp, false)]
    [InlineData("turn:[2001:db8::1]", "2001:db8::1", 3478, TurnTransport.Udp, false)]
    [InlineData("turns:[2001:DB8::1]:443", "2001:db8::1", 443, TurnTransport.Tcp, true)]
    [InlineData("turn:example.org:", "example.org", 3478, TurnTransport.Udp, false)]
    public void Uri_IsRead(string text, string host, int port, TurnTransport transport, bool isSecure)
    {
        var uri = TurnUri.Parse(text);
        Assert.Equal((host, port, transport, isSecure), (uri.Host, uri.Port, uri.Transport, uri.IsSecure));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("turn")]
    [InlineData("turn:")]
    [InlineData("stun:example.org")]
    [InlineData("http://example.org")]
    [InlineData("turn://example.org")]
    [InlineData("turn:user@example.org")]
    [InlineData("turn:example.org/path")]
    [InlineData("turn:example.org#fragment")]
    [InlineData("turn:example org")]
    [InlineData("turn:2001:db8::1")]
    [InlineData("turn:[2001:db8::1")]
    [InlineData("turn:[192.0.2.1]")]
    [InlineData("turn:[fe80::1%eth0]")]
    [InlineData("turn:[]")]
    [InlineData("turn:example.org:0")]
    [InlineData("turn:example.org:65536")]
    [InlineData("turn:example.org:+80")]
    [InlineData("turn:example.org:8o")]
    [InlineData("turn:example.org?transport=sctp")]
    [InlineData("turn:example.org?transport=")]
    [InlineData("turn:example.org?transport=udp&x=1")]
    [InlineData("turn:example.org?")]
    public void AnythingElse_IsRefused(string? text)
    {
        Assert.False(TurnUri.TryParse(text, out var uri));
        Assert.Null(uri);
        Assert.Throws<FormatException>(() => TurnUri.Parse(text ?? ""));
    }

    [Theory]
    [InlineData("turn:example.org:3478?transport=udp", "turn:example.org")]
    [InlineData("turns:example.org:5349?transport=tcp", "turns:example.org")]
    [InlineData("turn:EXAMPLE.org:5349?transport=tcp", "turn:example.org:5349?transport=tcp")]
    [InlineData("turns:[2001:DB8::1]:3478?transport=udp", "turns:[2001:db8::1]:3478?transport=udp")]
    public void Uri_IsWrittenInItsShortestForm_AndIsEqualToIt(string text, string shortest)
    {
        Assert.Equal(shortest, TurnUri.Parse(text).ToString());
        Assert.Equal(TurnUri.Parse(shortest), TurnUri.Parse(text));
    }

    [Fact]
    [Requirement("RFC7350-4")]
    public async Task Dtls_IsRefusedWithAnExplanation()
    {
        var error = await Assert.ThrowsAsync<NotSupportedException>(
            () => TurnClient.ConnectAsync(
                TurnUri.Parse("turns:127.0.0.1?transport=udp"), cancellationToken: TestContext.Current.CancellationToken));
        Assert.Contains("DTLS", error.Message, StringComparison.Ordinal);
    }
}
