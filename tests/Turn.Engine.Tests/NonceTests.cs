using System.Text;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>Nonces that a server recognises without remembering them.</summary>
public sealed class NonceTests
{
    private static readonly byte[] Key = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
    private static readonly EngineTime Time = new(0, new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private static readonly FiveTuple Flow = new EngineFixture().NewFlow();

    [Fact]
    [Requirement("ABUSE-81")]
    public void NodesWithOneKey_AcceptEachOthersNonces()
    {
        var nonce = Issue(new NonceIssuer(Key, SecurityFeatures.PasswordAlgorithms, new Random(1)));

        Assert.Equal(NonceStatus.Valid, new NonceIssuer(Key, SecurityFeatures.PasswordAlgorithms, new Random(2)).Check(nonce, Flow, Time));
        Assert.Equal(
            NonceStatus.Forged, new NonceIssuer(new byte[32], SecurityFeatures.PasswordAlgorithms, new Random(2)).Check(nonce, Flow, Time));
    }

    [Fact]
    [Requirement("RFC8489-9.2")]
    [Requirement("TURN-A24")]
    public void FeatureBits_CannotBeStripped()
    {
        var nonce = Issue(new NonceIssuer(Key, SecurityFeatures.PasswordAlgorithms, new Random(1)));
        "AAAA"u8.CopyTo(nonce.AsSpan(9));

        Assert.Equal(NonceStatus.Forged, new NonceIssuer(Key, SecurityFeatures.PasswordAlgorithms, new Random(1)).Check(nonce, Flow, Time));
    }

    [Theory]
    [InlineData(SecurityFeatures.None, "AAAA")]
    [InlineData(SecurityFeatures.PasswordAlgorithms, "gAAA")]
    [InlineData(SecurityFeatures.UsernameAnonymity, "QAAA")]
    [InlineData(SecurityFeatures.PasswordAlgorithms | SecurityFeatures.UsernameAnonymity, "wAAA")]
    [Requirement("RFC8489-9.2")]
    internal void Cookie_SaysTheFeatures(SecurityFeatures features, string bits) =>
        Assert.StartsWith(
            "obMatJos2" + bits, Encoding.ASCII.GetString(Issue(new NonceIssuer(Key, features, new Random(1)))), StringComparison.Ordinal);

    [Fact]
    [Requirement("ABUSE-32")]
    [Requirement("TURN-A30")]
    public void Nonce_IsBoundToAddressPortAndTransport()
    {
        var issuer = new NonceIssuer(Key, SecurityFeatures.PasswordAlgorithms, new Random(1));
        var nonce = Issue(issuer);
        FiveTuple[] others =
        [
            Flow with { Transport = ClientTransport.Tcp },
            Flow with { Client = new TransportAddress(Flow.Client.Address, (ushort)(Flow.Client.Port + 1)) },
            Flow with { Client = new TransportAddress(InternetAddress.Parse("192.0.2.99"), Flow.Client.Port) },
        ];

        Assert.All(others, other => Assert.Equal(NonceStatus.Forged, issuer.Check(nonce, other, Time)));
    }

    [Fact]
    public void EveryChangedCharacter_IsNoticed()
    {
        var issuer = new NonceIssuer(Key, SecurityFeatures.PasswordAlgorithms, new Random(1));
        var nonce = Issue(issuer);
        for (var i = 0; i < nonce.Length; i++)
        {
            var changed = nonce.ToArray();
            changed[i] = changed[i] == (byte)'A' ? (byte)'B' : (byte)'A';
            Assert.Equal(NonceStatus.Forged, issuer.Check(changed, Flow, Time));
        }
    }

    private static byte[] Issue(NonceIssuer issuer)
    {
        var nonce = new byte[NonceIssuer.Length];
        issuer.Issue(Flow, Time, nonce);
        Assert.Equal(NonceStatus.Valid, issuer.Check(nonce, Flow, Time));
        return nonce;
    }
}
