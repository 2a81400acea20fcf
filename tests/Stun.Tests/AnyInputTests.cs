using CsCheck;
using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Stun.Tests;

/// <summary>No input makes the readers throw, and valid messages use no heap memory.</summary>
public sealed class AnyInputTests
{
    private static readonly Gen<byte[]> Octets = Gen.Byte.Array[0, 300];

    private static readonly byte[][] Originals =
        [Vectors.Request, Vectors.ResponseIPv4, Vectors.ResponseIPv6, Vectors.LongTermRequest, Vectors.Sha256Request];

    // Random octets rarely pass the check of the cookie; changed vectors do.
    private static readonly Gen<byte[]> ChangedVectors =
        Gen.Select(
            Gen.Int[0, Originals.Length - 1],
            Gen.Select(Gen.Int[0, 500], Gen.Byte).Array[1, 6],
            (original, changes) =>
            {
                var changed = Originals[original].ToArray();
                foreach (var (index, value) in changes) changed[index % changed.Length] = value;
                return changed;
            });

    [Fact]
    [Requirement("ABUSE-7")]
    [Requirement("ABUSE-14")]
    public void Messages_NeverThrow() => Gen.OneOf(Octets, ChangedVectors).Sample(octets => ReadAll(octets), iter: 20_000);

    [Fact]
    [Requirement("ABUSE-21")]
    public void ChannelDataAndFrames_NeverThrow() => Octets.Where(octets => octets.Length >= 4).Sample(
        octets =>
        {
            var length = StreamFraming.FrameLength(octets);
            if (ChannelData.TryRead(octets, out _, out var payload))
                Assert.True(payload.Length <= octets.Length - ChannelData.HeaderLength);
            Assert.InRange(length, 0, StreamFraming.MaxFrameLength);
        },
        iter: 20_000);

    [Fact]
    [Requirement("ABUSE-35")]
    public void Tokens_NeverThrow()
    {
        using var key = new AccessTokenKey("kid", AccessTokenAlgorithm.A256Gcm, new byte[32]);
        Octets.Sample(
            octets =>
            {
                if (octets.Length > 1) (octets[0], octets[1]) = (0, 12);
                Assert.NotEqual(AccessTokenStatus.Valid, key.TryDecrypt(octets, "server"u8, out _));
            },
            iter: 20_000);
    }

    [Fact]
    public void ReadingVerifyingAndAnswering_AllocatesNothing()
    {
        using var key = new AccessTokenKey("kid", AccessTokenAlgorithm.A256Gcm, new byte[32]);
        var token = new byte[AccessToken.MaxEncodedLength];
        var length = key.Encrypt(new AccessToken(new byte[20], new TokenTimestamp(1UL << 16), 600), new byte[12], "server"u8, token);
        var reply = new byte[200];

        void Once()
        {
            StunMessageReader.TryRead(Vectors.Request, out var message);
            if (!message.VerifyMessageIntegrity(Vectors.ShortTermKey) || !message.FingerprintIsAbsentOrRight)
                throw new InvalidOperationException();
            if (key.TryDecrypt(token.AsSpan(0, length), "server"u8, out _) != AccessTokenStatus.Valid)
                throw new InvalidOperationException();
            var writer = new StunMessageWriter(reply, message.Method, StunClass.SuccessResponse, message.TransactionId);
            writer.WriteXorAddress(StunAttributeType.XorMappedAddress, new TransportAddress(InternetAddress.FromIPv4(0x7F000001), 1));
            writer.AddMessageIntegritySha256(Vectors.ShortTermKey);
            writer.AddFingerprint();
        }

        var allocated = Garbage.Of(() =>
        {
            for (var i = 0; i < 1000; i++) Once();
        });

        Assert.Equal(0, allocated);
    }

    private static void ReadAll(byte[] octets)
    {
        if (StunMessageReader.TryRead(octets, out var message) != StunParseStatus.Ok) return;
        var total = StunHeader.Length;
        foreach (var attribute in message)
        {
            total += StunHeader.AttributeHeaderLength + StunHeader.Padded(attribute.Value.Length);
            message.TryDecodeXorAddress(attribute.Value, out _);
        }

        Assert.True(total <= octets.Length);
        _ = message.ErrorCode;
        _ = message.FingerprintIsAbsentOrRight;
        _ = message.VerifyMessageIntegrity(Vectors.ShortTermKey);
        _ = message.VerifyMessageIntegritySha256(Vectors.ShortTermKey);
    }
}
