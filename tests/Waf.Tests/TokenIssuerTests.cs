using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;
using WebRtcIms.Waf.Rings;
using WebRtcIms.Waf.Tokens;

namespace WebRtcIms.Waf.Tests;

public sealed class TokenIssuerTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 23, 21, 0, 0, TimeSpan.Zero);

    private readonly FakeTimeProvider _time = new(Now);
    private readonly TokenIssuer _issuer;

    public TokenIssuerTests() => _issuer = Issuer(Server("one", "k1", 600), Server("two", "k2", 90));

    [Theory]
    [InlineData("one", "k1", 600)]
    [InlineData("two", "k2", 90)]
    [Requirement("RFC7635-9-1")]
    public void IssuedToken_IsIdentified_UntilNoTurnServerAcceptsItAnyMore(string audience, string kid, int seconds)
    {
        var token = _issuer.Issue(audience, MacAlgorithm.Sha256)!;
        _time.Advance(TimeSpan.FromSeconds(7));

        var identity = _issuer.Identify(token.AccessToken);

        Assert.Equal(
            new TokenIdentity(kid, token.TokenId, audience, Now, Now.AddSeconds(seconds) + AccessToken.ClockDelta), identity);
    }

    [Fact]
    public void TextThatIsNotAToken_IsNotIdentified()
    {
        Assert.Null(_issuer.Identify(""));
        Assert.Null(_issuer.Identify("not base64"));
        Assert.Null(_issuer.Identify(Convert.ToBase64String(new byte[AccessToken.MaxEncodedLength + 1])));
        Assert.Null(_issuer.Identify(Convert.ToBase64String([0, 200, 1, 2])));
        var stranger = Issuer(Server("three", "k1", 600));
        Assert.Null(_issuer.Identify(stranger.Issue("three", MacAlgorithm.Sha1)!.AccessToken));
    }

    [Fact]
    [Requirement("ABUSE-87")]
    public void IssuedToken_DoesNotPrintItself() => Assert.Equal("***", _issuer.Issue("one", MacAlgorithm.Sha256)!.ToString());

    private TokenIssuer Issuer(params TurnServerSettings[] servers) => new(
        new KeyRings(servers.Select(server => server.ToRing())), new KeyUse(NullLogger<KeyUse>.Instance), _time);

    private static TurnServerSettings Server(string name, string kid, int seconds) => new()
    {
        Name = name,
        Kid = kid,
        Key = Convert.ToBase64String(Enumerable.Repeat((byte)name[0], 32).ToArray()),
        TokenLifetime = TimeSpan.FromSeconds(seconds),
    };
}
