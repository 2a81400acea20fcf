using System.Text;
using Aspire.Hosting.Testing;
using StackExchange.Redis;
using WebRtcIms.EndToEnd.Tests.Setup;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>
/// Searches the output of a call for secrets: consoles, telemetry of every kind, Redis keys, and the datagrams to and from TURN.
/// </summary>
[Collection(RunningSystem.Collection)]
public sealed class SecrecyTests(RunningSystem system)
{
    [Fact]
    [Requirement("3GPP-33.203-X.5.3-c")]
    public async Task CallOfALoggedInUser_LeavesNoNameAndNoSecretBehind()
    {
        await using var wic = await system.Chromium.OpenAsync(system.PageAddress);
        await wic.LogInAsync(DemoUser.Name, DemoUser.Password);
        await wic.ChooseTransportAsync("udp");
        var datagramsBefore = system.UdpProxy!.Datagrams.Count;
        await wic.CallAsync();
        await wic.WaitForMediaAsync();
        var traceId = await wic.TextAsync("trace-id");
        var redisKeys = await RedisKeysAsync();
        await wic.HangUpAsync();
        await system.Collector.WaitForAsync(traceId, spans => spans.Any(span => span.Service == "turn"), TimeSpan.FromSeconds(20));

        var token = Assert.Single(wic.Tokens);
        string[] secrets =
        [
            DemoUser.Password,
            token.GetProperty("key").GetString()!,
            token.GetProperty("access_token").GetString()!,
            token.GetProperty("ice_servers")[0].GetProperty("username").GetString()!,
            .. system.SecretParameters,
        ];
        Assert.All(secrets, secret => Assert.True(secret.Length >= 8));

        // The search must work: texts that are not secret are found where they belong.
        var consoles = string.Join('\n', system.Console);
        var telemetry = system.Collector.Payloads.Select(Encoding.Latin1.GetString).ToList();
        var datagrams = system.UdpProxy.Datagrams.Skip(datagramsBefore).Select(Encoding.Latin1.GetString).ToList();
        Assert.Contains(telemetry, payload => payload.Contains("turn allocate", StringComparison.Ordinal));
        Assert.Contains(datagrams, datagram => datagram.Contains(token.GetProperty("kid").GetString() + "~", StringComparison.Ordinal));
        Assert.Contains(redisKeys, key => key.StartsWith("turn:grant:", StringComparison.Ordinal));
        Assert.Contains(redisKeys, key => key.StartsWith("turn:life:", StringComparison.Ordinal));
        Assert.Contains(redisKeys, key => key.StartsWith("turn:replay:", StringComparison.Ordinal));
        Assert.NotEmpty(consoles);

        foreach (var secret in secrets)
        {
            Assert.DoesNotContain(secret, consoles, StringComparison.Ordinal);
            Assert.DoesNotContain(telemetry, payload => payload.Contains(secret, StringComparison.Ordinal));
            Assert.DoesNotContain(redisKeys, key => key.Contains(secret, StringComparison.Ordinal));
        }

        Assert.DoesNotContain(datagrams, datagram => datagram.Contains(DemoUser.Name, StringComparison.OrdinalIgnoreCase));
        Assert.DoesNotContain(DemoUser.Name, consoles, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(telemetry, payload => payload.Contains(DemoUser.Name, StringComparison.OrdinalIgnoreCase));
        Assert.DoesNotContain(redisKeys, key => key.Contains(DemoUser.Name, StringComparison.OrdinalIgnoreCase));
    }

    private async Task<List<string>> RedisKeysAsync()
    {
        var options = ConfigurationOptions.Parse((await system.App.GetConnectionStringAsync("redis"))!);
        options.AllowAdmin = true;
        await using var redis = await ConnectionMultiplexer.ConnectAsync(options);
        var server = redis.GetServers().Single();
        return [.. server.Keys(pattern: "*", pageSize: 1000).Select(key => key.ToString())];
    }
}
