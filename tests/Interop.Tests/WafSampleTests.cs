using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests;

/// <summary><c>samples/waf-client.sh</c> against a WAF that runs.</summary>
public sealed class WafSampleTests
{
    private const string Secret = "0123456789abcdef0123456789abcdef";
    private const string TurnServer = "turn.example.org";

    private static readonly byte[] Key = RandomNumberGenerator.GetBytes(32);

    [Fact]
    [Requirement("RFC7635-4")]
    public async Task Script_PrintsATokenThatTheTurnServerCanRead_AndFailsWithAWrongSecret()
    {
        Tools.Require("curl", "curl");
        var (process, address) = await StartAsync();
        await using var _ = process;

        var granted = await RunAsync(address, Secret);
        var refused = await RunAsync(address, "wrong");

        Assert.Equal(0, granted.ExitCode);
        using var key = new AccessTokenKey("k1", AccessTokenAlgorithm.A256Gcm, Key);
        var token = Convert.FromBase64String(Part(granted, "access_token"));
        Assert.Equal(AccessTokenStatus.Valid, key.TryDecrypt(token, Encoding.UTF8.GetBytes(TurnServer), out var content));
        Assert.Equal(Part(granted, "key"), Convert.ToBase64String(content.MacKey));
        Assert.Equal(Part(granted, "expires_in"), $"{content.LifetimeSeconds}");
        Assert.Equal("k1", Part(granted, "kid"));
        Assert.Equal($"k1~{System.Buffers.Text.Base64Url.EncodeToString(token)}", Part(granted, "username"));
        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains("invalid_client", refused.Output, StringComparison.Ordinal);
    }

    private static Task<CommandResult> RunAsync(string address, string secret) =>
        Command.RunAsync(
            "sh", [Repository.PathOf("samples", "waf-client.sh"), address, "sample", TurnServer], limit: null,
            ("CLIENT_SECRET", secret));

    private static string Part(CommandResult result, string name) =>
        Regex.Match(result.Output, $@"^{name}: +(\S+)", RegexOptions.Multiline).Groups[1].Value;

    private static async Task<(WafProcess Waf, string Address)> StartAsync()
    {
        var port = FreePorts.Tcp();
        var address = $"http://127.0.0.1:{port}";
        return (await WafProcess.StartAsync(
            port,
            ("ASPNETCORE_URLS", address),
            ("Waf__TurnServers__0__Name", TurnServer),
            ("Waf__TurnServers__0__Kid", "k1"),
            ("Waf__TurnServers__0__Key", Convert.ToBase64String(Key)),
            ("Waf__Clients__0__ClientId", "sample"),
            ("Waf__Clients__0__ClientSecret", Secret),
            ("Waf__Clients__0__Audiences__0", TurnServer)), address);
    }
}
