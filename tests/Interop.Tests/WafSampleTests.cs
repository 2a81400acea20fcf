using System.Diagnostics;
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
        await using var waf = await Waf.StartAsync();

        var granted = await RunAsync(waf, Secret);
        var refused = await RunAsync(waf, "wrong");

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

    private static Task<CommandResult> RunAsync(Waf waf, string secret) =>
        Command.RunAsync(
            "sh", [Repository.PathOf("samples", "waf-client.sh"), waf.Address, "sample", TurnServer], limit: null,
            ("CLIENT_SECRET", secret));

    private static string Part(CommandResult result, string name) =>
        Regex.Match(result.Output, $@"^{name}: +(\S+)", RegexOptions.Multiline).Groups[1].Value;

    /// <summary>The WAF with one TURN server and one client, from its own output folder, in an empty folder with its store.</summary>
    private sealed class Waf : ServerProcess
    {
        // Configuration and framework, such as Debug/net10.0, as the tests were built.
        private static readonly string[] OutputFolder =
            AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar).Split(Path.DirectorySeparatorChar)[^2..];

        private readonly DirectoryInfo _folder;

        private Waf(ProcessStartInfo start, DirectoryInfo folder)
            : base(start) => _folder = folder;

        public string Address { get; private init; } = "";

        public static async Task<Waf> StartAsync()
        {
            var port = FreePorts.Tcp();
            var address = $"http://127.0.0.1:{port}";
            var folder = Directory.CreateTempSubdirectory("waf-sample-");
            var start = Foreground.Of("dotnet", Repository.PathOf(["Waf", "bin", .. OutputFolder, "WebRtcIms.Waf.dll"]));
            start.WorkingDirectory = folder.FullName;
            start.Environment["ASPNETCORE_URLS"] = address;
            start.Environment["ConnectionStrings__waf"] = "Data Source=waf.db";
            start.Environment["Waf__TurnServers__0__Name"] = TurnServer;
            start.Environment["Waf__TurnServers__0__Kid"] = "k1";
            start.Environment["Waf__TurnServers__0__Key"] = Convert.ToBase64String(Key);
            start.Environment["Waf__Clients__0__ClientId"] = "sample";
            start.Environment["Waf__Clients__0__ClientSecret"] = Secret;
            start.Environment["Waf__Clients__0__Audiences__0"] = TurnServer;
            var waf = new Waf(start, folder) { Address = address };
            await waf.UntilUpAsync(cancel => AcceptsAsync(port, cancel));
            return waf;
        }

        public override async ValueTask DisposeAsync()
        {
            await base.DisposeAsync();
            _folder.Delete(recursive: true);
        }
    }
}
