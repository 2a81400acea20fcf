using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Waf.Tests;

/// <summary>Another implementation reads our tokens: coturn's <c>turnutils_oauth</c>.</summary>
public sealed class CoturnTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 23, 21, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(WafApp.TurnServer, "HMAC-SHA1", "A256GCM", 600)]
    [InlineData(WafApp.TurnServer, "HMAC-SHA-256-128", "A256GCM", 600)]
    [InlineData(WafApp.SecondTurnServer, "HMAC-SHA1", "A128GCM", 90)]
    [Requirement("RFC7635-6.2-1")]
    public async Task Token_IsReadByCoturn(string turnServer, string macAlgorithm, string algorithm, int lifetime)
    {
        var program = Tools.Require("turnutils_oauth", "coturn");
        using var app = new WafApp { Time = new FakeTimeProvider(Now) };
        var answer = await TokenWithoutZerosAsync(app, turnServer, macAlgorithm);

        var (code, output) = await DecodeAsync(program, answer, turnServer, algorithm);

        Assert.Equal(0, code);
        Assert.Contains("-=Valid token!=-", output);
        Assert.Contains($"mac key: {Encoding.Latin1.GetString(Convert.FromBase64String(answer.Key))}\n", output);
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"unixtime: {Now.ToUnixTimeSeconds()} "), output);
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"lifetime: {lifetime}\n"), output);
    }

    [Fact]
    [Requirement("RFC7635-6.2-2")]
    [Requirement("RFC9700-2.3-1")]
    public async Task TokenUnderAnotherServersName_IsRefusedByCoturn()
    {
        var program = Tools.Require("turnutils_oauth", "coturn");
        using var app = new WafApp { Time = new FakeTimeProvider(Now) };
        var answer = await TokenWithoutZerosAsync(app, WafApp.TurnServer, "HMAC-SHA1");

        var (code, output) = await DecodeAsync(program, answer, WafApp.SecondTurnServer, "A256GCM");

        Assert.NotEqual(0, code);
        Assert.Contains("token integrity check failed", output);
    }

    /// <summary>The tool takes nonce and mac_key for C strings: a zero octet would end them.</summary>
    private static async Task<TokenAnswer> TokenWithoutZerosAsync(WafApp app, string turnServer, string macAlgorithm)
    {
        while (true)
        {
            var answer = (await new TokenRequest().With("aud", turnServer).With("alg", macAlgorithm).SendAsync(app)).AssertOk();
            Assert.True(AccessTokenKey.TryGetNonce(Convert.FromBase64String(answer.AccessToken), out var nonce));
            if (!nonce.Contains((byte)0) && !Convert.FromBase64String(answer.Key).Contains((byte)0)) return answer;
        }
    }

    private static async Task<(int Code, string Output)> DecodeAsync(string program, TokenAnswer answer, string turnServer,
        string algorithm)
    {
        var index = answer.Kid == "k1" ? 0 : 1;
        using var process = Process.Start(new ProcessStartInfo(program,
        [
            "-v", "-d", "--server-name", turnServer, "--auth-key-id", answer.Kid, "--auth-key",
                WafApp.GoodSettings()[$"Waf:TurnServers:{index}:Key"],
            "--auth-key-timestamp", $"{Now.ToUnixTimeSeconds() - 60}", "--auth-key-lifetime", "86400", "--auth-key-as-rs-alg", algorithm,
            "--token", answer.AccessToken,
        ])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.Latin1,
        })!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output + await errors);
    }
}
