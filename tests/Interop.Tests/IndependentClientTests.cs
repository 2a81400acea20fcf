using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests;

/// <summary>
/// Clients of others relay data between two allocations: over UDP and TCP, with a static user, the REST scheme of a shared secret, and a
/// token in the browser profile. Each client is a script in the folder <c>Clients</c>, and each runs against another back end.
/// </summary>
public sealed class IndependentClientTests(TurnServers servers)
{
    private const string Python = "/usr/bin/python3";

    private static readonly string[] Transports = ["udp", "tcp"];

    [Theory]
    [InlineData("IoUring", Python, "python3-aioice", "aioice_client.py")]
    [InlineData("Portable", Python, "gir1.2-nice-0.1", "libnice_client.py")]
    [InlineData("Epoll", "node", "nodejs", "werift_client.mjs")]
    [Requirement("CLIENT-10")]
    public async Task Client_RelaysWithEachCredential_OverUdpAndTcp(string backEnd, string program, string package, string script)
    {
        var path = Tools.Require(program, package);
        if (program == "node") NpmPackages.Require("Clients", "werift");
        var server = await servers.WithAsync(backEnd);
        var cases = Credentials()
            .SelectMany(user => Transports, (user, transport) => (user.Name, transport, user.Username, user.Password)).ToList();

        var result = await Command.RunAsync(path, [NpmPackages.PathOf("Clients", script)], null, ("CASES", JsonSerializer.Serialize(
            cases.Select(each => new object[] { each.Name, each.transport, server.Port, each.Username, each.Password }))));

        Assert.True(result.ExitCode == 0, result.Output);
        var relayed = result.Output.Split('\n').Where(line => line.EndsWith(": relayed", StringComparison.Ordinal));
        Assert.Equal(cases.Select(each => $"{each.Name} over {each.transport}: relayed").Order(), relayed.Order());
    }

    private static IEnumerable<(string Name, string Username, string Password)> Credentials()
    {
        yield return ("static user", "u", "p");

        var username = $"{TimeProvider.System.GetUtcNow().AddMinutes(10).ToUnixTimeSeconds()}:carol";
        var hash = HMACSHA1.HashData(Encoding.UTF8.GetBytes(CoturnKeys.SharedSecret), Encoding.UTF8.GetBytes(username));
        yield return ("REST", username, Convert.ToBase64String(hash));

        var (macKey, octets) = (RandomNumberGenerator.GetBytes(20), new byte[AccessToken.MaxEncodedLength]);
        var content = new AccessToken(macKey, TokenTimestamp.FromDateTimeOffset(TimeProvider.System.GetUtcNow()), 600);
        var length = CoturnKeys.Key("north").Encrypt(
            content, RandomNumberGenerator.GetBytes(12), Encoding.UTF8.GetBytes(CoturnKeys.ServerName), octets);
        yield return ("browser profile", BrowserUsername.Format("north", octets.AsSpan(0, length)), Convert.ToBase64String(macKey));
    }
}
