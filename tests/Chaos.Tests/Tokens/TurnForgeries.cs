using System.Net;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Chaos.Tests.Tokens;

/// <summary>Tokens that no TURN node may accept. Who knows the key can make any token, so the tests make them.</summary>
internal sealed class TurnForgeries(byte[] key)
{
    public const string ServerName = "turn.webrtcims.local";
    public const string Kid = "k1";
    private const uint Lifetime = 600;

    // A node that is gone does not answer.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>Tokens that are refused by themselves, by what is wrong with them.</summary>
    public IEnumerable<(string Name, TestToken Token)> Wrong()
    {
        yield return ("expired", Make(age: TimeSpan.FromHours(2)));
        yield return ("from the future", Make(age: -TimeSpan.FromMinutes(5)));
        yield return ("under another key", new TurnForgeries(RandomNumberGenerator.GetBytes(32)).Make());
        yield return ("for another server", Make(server: "another-turn.webrtcims.local"));
        var altered = Make();
        altered.Octets[^20] ^= 1;
        yield return ("altered", altered);
    }

    /// <summary>A token that is good.</summary>
    public TestToken Make(TimeSpan age = default, string server = ServerName)
    {
        var macKey = RandomNumberGenerator.GetBytes(AccessToken.Sha256MacKeyLength);
        using var codec = new AccessTokenKey(Kid, AccessTokenAlgorithm.A256Gcm, key);
        var octets = new byte[AccessToken.MaxEncodedLength];
        var content = new AccessToken(macKey, TokenTimestamp.FromDateTimeOffset(TimeProvider.System.GetUtcNow() - age), Lifetime);
        var nonce = RandomNumberGenerator.GetBytes(AccessTokenKey.NonceLength);
        var length = codec.Encrypt(content, nonce, Encoding.UTF8.GetBytes(server), octets);
        return new TestToken(Kid, octets[..length], macKey);
    }

    /// <summary>The name under which a token is revoked.</summary>
    public static string IdOf(TestToken token)
    {
        Assert.True(AccessTokenKey.TryGetNonce(token.Octets, out var nonce));
        return System.Buffers.Text.Base64Url.EncodeToString(nonce);
    }

    /// <summary>Whether a node makes an allocation for the token. No answer is a refusal.</summary>
    public static async Task<bool> IsAcceptedAsync(IPEndPoint node, TestToken token)
    {
        await using var client = StunTestClient.Udp(node);
        return await IsSuccessAsync(client.AllocateAsync(token.Native));
    }

    /// <summary>An Allocate that a node has accepted, as a thief may have recorded it.</summary>
    public async Task<RecordedRequest> RecordAsync(IPEndPoint node)
    {
        // A port that nothing else takes before the request is replayed from it.
        await using var client = StunTestClient.Udp(node, FreePorts.Udp());
        var request = await client.BuildAsync(Stun.Messages.StunMethod.Allocate, StunRequest.UdpTransport, Make().Native);
        Assert.True(await IsSuccessAsync(client.ExchangeAsync(request)), "a good token was refused");
        return new RecordedRequest(request, client.LocalEndPoint.Port);
    }

    /// <summary>Whether a node accepts the octets of a recorded request.</summary>
    public static async Task<bool> IsReplayedAsync(IPEndPoint node, RecordedRequest request, bool fromItsPort)
    {
        await using var client = StunTestClient.Udp(node, fromItsPort ? request.Port : 0);
        return await IsSuccessAsync(client.ExchangeAsync(request.Octets));
    }

    private static async Task<bool> IsSuccessAsync(Task<StunAnswer> asking)
    {
        var isSuccess = false;
        await Record.ExceptionAsync(async () => isSuccess = (await asking.WaitAsync(Patience)).IsSuccess);
        return isSuccess;
    }
}

/// <summary>A request, and the port that it came from.</summary>
internal sealed record RecordedRequest(byte[] Octets, int Port);
