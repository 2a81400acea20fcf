using System.Text.Json;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests.Sip;

/// <summary>SIP.js, two versions of JsSIP, and node-sip, which share no code with this server: <c>SipClients/client.js</c>.</summary>
public sealed class SipClientTests
{
    private const int Phones = 5;

    [Fact]
    [Requirement("NET-14")]
    [Requirement("RFC7118-5")]
    [Requirement("RFC3261-16.4")]
    public async Task Stacks_RegisterAndCallEachOther_EachOneEachOther()
    {
        var node = Tools.Require("node", "nodejs");
        RequirePackages();
        await using var servers = await SipServers.StartAsync();

        var result = await Command.RunAsync(
            node, [Folder("client.js")], limit: null,
            ("SIP_SERVER", $"ws://127.0.0.1:{servers.EpCscf.Port}/sip"), ("SIP_DOMAIN", EpCscfProcess.Domain),
            ("SIP_ACCOUNTS", await servers.GetAccountsAsync(Phones)));

        Assert.True(result.ExitCode == 0, result.Output + servers.EpCscf.Output);
        var lines = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line.StartsWith('{'))
            .Select(line => JsonElement.Parse(line)).ToList();
        Assert.Equal(Phones * (Phones - 1), lines.Count - 1);
        Assert.All(lines[..^1], pair =>
        {
            Assert.True(Text(pair, "step") == "done", result.Output + servers.EpCscf.Output);
            Assert.Matches("^\"Guest [1-5]\" <sip:guest-[1-5]@ims.example>$", Text(pair, "asserted"));
            Assert.Equal((486, 200, 200), (Number(pair, "refused"), Number(pair, "sent"), Number(pair, "options")));
            Assert.True(pair.GetProperty("isSame").GetBoolean());
        });
        Assert.Equal((404, 480), (Number(lines[^1], "unknown"), Number(lines[^1], "offline")));
    }

    private static string Folder(string name) => Repository.PathOf("tests", "Interop.Tests", "SipClients", name);

    // The build installs them where npm can.
    private static void RequirePackages()
    {
        if (Directory.Exists(Path.Combine(Folder("node_modules"), "node-sip"))) return;
        const string reason = "SIP.js, JsSIP and node-sip are not installed (npm ci in tests/Interop.Tests/SipClients)";
        if (Environment.GetEnvironmentVariable("CI") is { Length: > 0 }) Assert.Fail(reason);
        Assert.Skip(reason);
    }

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;

    private static int Number(JsonElement element, string name) => element.GetProperty(name).GetInt32();
}
