using System.Security.Cryptography;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Interop.Tests;

/// <summary>Tokens that <c>turnutils_oauth</c> made open this project's server, and spoiled ones do not.</summary>
public sealed class TokenAcceptanceTests(TurnServers servers)
{
    private static readonly byte[] MacKey = "ABCDEFGHIJKLMNOPQRST"u8.ToArray();

    [Theory]
    [InlineData("north", "Epoll", "udp")]
    [InlineData("union", "Epoll", "udp")]
    [InlineData("oldempire", "Epoll", "tcp")]
    [InlineData("north", "Portable", "udp")]
    [InlineData("union", "Portable", "tcp")]
    [Requirement("RFC7635-7")]
    public async Task TokenOfCoturn_MakesAnAllocationThatRelays(string kid, string transport, string path)
    {
        var token = await NewTokenAsync(kid);
        await using var first = await ConnectAsync(transport, path);
        await using var second = await ConnectAsync(transport, path);
        var here = await first.AllocateAsync(TurnCredential.AccessToken(kid, token, MacKey), cancellationToken: Cancel);
        var there = await second.AllocateAsync(TurnCredential.AccessToken(kid, token, MacKey), cancellationToken: Cancel);

        await here.CreatePermissionAsync(there.RelayedAddress.Address, Cancel);
        await there.CreatePermissionAsync(here.RelayedAddress.Address, Cancel);
        await here.SendAsync("through both relays"u8.ToArray(), there.RelayedAddress, Cancel);
        var received = await there.Received.ReadAsync(Cancel);

        Assert.Equal("through both relays"u8.ToArray(), received.Data.ToArray());
        Assert.Equal(here.RelayedAddress, received.Peer);
    }

    [Fact]
    [Requirement("RFC7635-7")]
    [Requirement("ABUSE-35")]
    [Requirement("ABUSE-37")]
    [Requirement("ABUSE-39")]
    [Requirement("TURN-G2")]
    public async Task SpoiledTokens_AreUnauthenticated_AndTheServerLives()
    {
        var now = TimeProvider.System.GetUtcNow();
        var good = await NewTokenAsync("north");
        var tokens = new Dictionary<string, (string Kid, byte[] Token)>
        {
            ["a flipped bit"] = ("north", Changed(good, 30, 1)),
            ["a flipped bit in the tag"] = ("north", Changed(good, good.Length - 1, 1)),
            ["another server name"] = ("north", await NewTokenAsync("north", serverName: "turn2.example.org")),
            ["expired"] = ("north", await NewTokenAsync("north", now.AddSeconds(-700))),
            ["from the future"] = ("north", await NewTokenAsync("north", now.AddHours(1))),
            ["an unknown kid"] = ("south", good),
            ["another kid"] = ("oldempire", good),
            ["nonce_length 0"] = ("north", [0, 0, .. good[2..]]),
            ["nonce_length 11"] = ("north", [0, 11, .. good[2..]]),
            ["nonce_length 13"] = ("north", [0, 13, .. good[2..]]),
            ["nonce_length 65535"] = ("north", [255, 255, .. good[2..]]),
            ["one octet"] = ("north", [0]),
            ["a thousand octets"] = ("north", [0, 12, .. RandomNumberGenerator.GetBytes(1000)]),
        };

        foreach (var (transport, path) in new[] { ("Epoll", "udp"), ("Portable", "tcp") })
        {
            var errors = new Dictionary<string, StunError>();
            foreach (var (name, (kid, token)) in tokens) errors[name] = await AllocateAsync(transport, path, kid, token);

            Assert.Equal(
                tokens.Keys.Select(name => $"{name}: {StunError.Unauthenticated}"), errors.Select(error => $"{error.Key}: {error.Value}"));
            Assert.Equal(StunError.None, await AllocateAsync(transport, path, "north", good));
        }
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static byte[] Changed(byte[] token, int index, byte bit)
    {
        var changed = token.ToArray();
        changed[index] ^= bit;
        return changed;
    }

    private static async Task<byte[]> NewTokenAsync(string kid, DateTimeOffset? made = null, string serverName = CoturnKeys.ServerName)
    {
        // The tool takes the nonce for a C string.
        var nonce = RandomNumberGenerator.GetBytes(12).Select(octet => octet == 0 ? (byte)1 : octet).ToArray();
        var timestamp = TokenTimestamp.FromDateTimeOffset(made ?? TimeProvider.System.GetUtcNow());
        return await OAuthTool.EncryptAsync(kid, nonce, MacKey, timestamp.Raw, 600, serverName);
    }

    private async Task<StunError> AllocateAsync(string transport, string path, string kid, byte[] token)
    {
        await using var client = await ConnectAsync(transport, path);
        try
        {
            await client.AllocateAsync(TurnCredential.AccessToken(kid, token, MacKey), cancellationToken: Cancel);
            return StunError.None;
        }
        catch (TurnException error)
        {
            return error.Code;
        }
    }

    private async Task<TurnClient> ConnectAsync(string transport, string path)
    {
        var server = await servers.WithAsync(transport);
        return await TurnClient.ConnectAsync(TurnUri.Parse($"turn:127.0.0.1:{server.Port}?transport={path}"), cancellationToken: Cancel);
    }
}
