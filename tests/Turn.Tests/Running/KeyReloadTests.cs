using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Tests.Settings;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>Long-term keys roll over while the server runs and relays.</summary>
public sealed class KeyReloadTests : IAsyncDisposable
{
    private readonly TokenKey _old = new("k1");
    private readonly TokenKey _new = new("k2");
    private readonly string _file = Path.Combine(Path.GetTempPath(), $"keys-{Guid.NewGuid():N}.json");
    private TurnServerProcess? _server;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        File.Delete(_file);
    }

    [Fact]
    [Requirement("ABUSE-48")]
    public async Task RollOver_BothKeysServe_ThenTheOldOneDies_AndNoAllocationIsLost()
    {
        await StartAsync(_old.Json());
        List<TurnClient> clients = [];
        List<TurnAllocation> allocations = [];
        var ofOldKey = _old.Issue();
        for (var i = 0; i < 16; i++)
        {
            clients.Add(await ConnectAsync());
            allocations.Add(await clients[i].AllocateAsync(i % 2 == 0 ? ofOldKey.Native : ofOldKey.Browser, cancellationToken: Cancel));
        }

        await using var traffic = new Traffic(allocations);
        await ReplaceAsync($"[{_old.Json()},{_new.Json()}]", "under the keys k1, k2");
        Assert.Equal(StunError.None, await TryAllocateAsync(_new.Issue()));
        Assert.Equal(StunError.None, await TryAllocateAsync(_old.Issue()));

        // The old key dies: its tokens make nothing new, what they made goes on until they end.
        await ReplaceAsync($"[{_old.Json(TimeProvider.System.GetUtcNow().AddSeconds(-1))},{_new.Json()}]", "k1 (until ");
        Assert.Equal(StunError.Unauthenticated, await TryAllocateAsync(_old.Issue()));
        Assert.Equal(StunError.None, await TryAllocateAsync(_new.Issue()));
        foreach (var allocation in allocations) await allocation.RenewAsync(_new.Issue().Native, Cancel);
        await ReplaceAsync($"[{_new.Json()}]", "under the keys k2\n");

        foreach (var allocation in allocations) await allocation.RefreshAsync(cancellationToken: Cancel);
        await traffic.AssertEachRelaysAsync();
        foreach (var client in clients) await client.DisposeAsync();
    }

    [Fact]
    public async Task UnknownKey_IsNamedInTheLog()
    {
        await StartAsync(_old.Json());
        Assert.Equal(StunError.Unauthenticated, await TryAllocateAsync(_new.Issue()));
        await _server!.WaitForOutputAsync("A token came under the key k2, which this node does not have");
    }

    [Fact]
    public async Task UnknownKeyThatIsNoName_IsNotInTheLog()
    {
        await StartAsync(_old.Json());
        Assert.Equal(StunError.Unauthenticated, await TryAllocateAsync(new TokenKey("alice@example.com\nfail: all").Issue()));

        await _server!.WaitForOutputAsync("A token came under the key (no kid as the WAF makes them)");
        Assert.DoesNotContain("alice", _server.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("not json", "Turn:KeysFile: line 1 is not")]
    [InlineData("""[{"Kid":"k2","Key":"c2hvcnQ="}]""", "Turn:KeysFile:0:Key must have 32 octets or more")]
    [InlineData("""[{"Kid":"k~","Key":"c2hvcnQ="}]""", "Turn:KeysFile:0:Kid must have")]
    [InlineData("[]", "Turn:Keys is empty")]
    [InlineData(null, "Turn:KeysFile: '")]
    [Requirement("ABUSE-48")]
    [Requirement("ABUSE-84")]
    public async Task KeysThatCannotBeUsed_AreRefusedWithTheSetting_AndTheOldOnesStay(string? content, string message)
    {
        await File.WriteAllTextAsync(_file, $"[{_old.Json()}]", Cancel);
        await using var server = await ComposedServer.StartAsync(("Turn:KeysFile", _file));
        if (content is null) File.Delete(_file);
        else await File.WriteAllTextAsync(_file, content, Cancel);
        server.Get<KeyReload>().ReloadIfChanged();

        Assert.Contains($"The keys were not replaced; the old ones stay. {message}", server.Logs.Text, StringComparison.Ordinal);
        Assert.Equal(StunError.None, await server.AllocateErrorAsync(server.NewClient(_old.Issue())));
        Assert.DoesNotContain("c2hvcnQ=", server.Logs.Text, StringComparison.Ordinal);
        await File.WriteAllTextAsync(_file, $"[{_new.Json()}]", Cancel);
        server.Get<KeyReload>().ReloadIfChanged();
        Assert.Contains("under the keys k2", server.Logs.Text, StringComparison.Ordinal);
        Assert.Equal(StunError.None, await server.AllocateErrorAsync(server.NewClient(_new.Issue())));
    }

    [Fact]
    [Requirement("ABUSE-84")]
    public async Task FileThatIsNotThere_StopsTheStart()
    {
        var (exitCode, output) = await TurnServerProcess.RunToEndAsync(("Turn__KeysFile", _file));

        Assert.Equal(1, exitCode);
        Assert.Contains("Turn:KeysFile: '", output, StringComparison.Ordinal);
    }

    private async Task StartAsync(string key)
    {
        await File.WriteAllTextAsync(_file, $"[{key}]", Cancel);
        _server = await TurnServerProcess.StartAsync(("Turn__KeysFile", _file), ("Turn__Workers", "1"));
    }

    // As a mounted secret changes: whole, in one step.
    private async Task ReplaceAsync(string content, string said)
    {
        await File.WriteAllTextAsync(_file + ".new", content, Cancel);
        File.Move(_file + ".new", _file, overwrite: true);
        await _server!.WaitForOutputAsync(said);
    }

    private async Task<TurnClient> ConnectAsync() =>
        await TurnClient.ConnectAsync(TurnUri.Parse($"turn:127.0.0.1:{_server!.Port}"), cancellationToken: Cancel);

    private async Task<StunError> TryAllocateAsync(TestCredentials token)
    {
        await using var client = await ConnectAsync();
        try
        {
            await client.AllocateAsync(token.Native, cancellationToken: Cancel);
            return StunError.None;
        }
        catch (TurnException error)
        {
            return error.Code;
        }
    }
}
