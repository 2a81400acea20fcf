using System.Globalization;
using StackExchange.Redis;

namespace WebRtcIms.Tests.Common;

/// <summary>A Redis cluster on free ports of this machine: three masters that share the slots, and a replica of the first.</summary>
public sealed class RedisCluster : IAsyncDisposable
{
    private const int Masters = 3;
    private const int Slots = 16384;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(40);

    private readonly RedisServer[] _nodes;
    private readonly ConnectionMultiplexer[] _admins;
    private readonly DirectoryInfo _folder;

    private RedisCluster(RedisServer[] nodes, ConnectionMultiplexer[] admins, DirectoryInfo folder) =>
        (_nodes, _admins, _folder) = (nodes, admins, folder);

    /// <summary>As <c>ConnectionStrings:redis</c> has it; the client learns of the other nodes from this one, the second.</summary>
    public string Address => _nodes[1].Address;

    /// <summary>Returns when the slots are served, and the replica has what its master has.</summary>
    public static async Task<RedisCluster> StartAsync()
    {
        var folder = Directory.CreateTempSubdirectory("redis-cluster-");
        var nodes = new RedisServer[Masters + 1];
        var admins = new ConnectionMultiplexer[nodes.Length];
        for (var i = 0; i < nodes.Length; i++)
        {
            nodes[i] = await RedisServer.StartAsync(
                "--cluster-enabled", "yes", "--cluster-config-file", $"{folder.FullName}/{i}.conf", "--cluster-node-timeout", "1000",
                "--repl-diskless-sync-delay", "0");

            admins[i] =
                await ConnectionMultiplexer.ConnectAsync($"{nodes[i].Address},allowAdmin=true,abortConnect=false,asyncTimeout=10000");
        }

        var cluster = new RedisCluster(nodes, admins, folder);
        for (var i = 0; i < Masters; i++)
        {
            await cluster.RunAsync(i, "CLUSTER", "SET-CONFIG-EPOCH", i + 1);
            await cluster.RunAsync(i, "CLUSTER", "ADDSLOTSRANGE", i * Slots / Masters, ((i + 1) * Slots / Masters) - 1);
        }

        for (var i = 1; i < nodes.Length; i++)
            await cluster.RunAsync(i, "CLUSTER", "MEET", "127.0.0.1", nodes[0].Address.Split(':')[1]);
        for (var i = 0; i < nodes.Length; i++) await cluster.UntilAsync(i, ["CLUSTER", "INFO"], "cluster_known_nodes:4");
        await cluster.RunAsync(Masters, "CLUSTER", "REPLICATE", await cluster.IdAsync(0));
        for (var i = 0; i < nodes.Length; i++) await cluster.UntilAsync(i, ["CLUSTER", "INFO"], "cluster_state:ok");
        await cluster.UntilAsync(Masters, ["INFO", "replication"], "master_link_status:up");
        return cluster;
    }

    /// <summary>Gives the key's slot to the next master, where no client expects it: they are told MOVED. The slot must be empty.</summary>
    public async Task MoveSlotAsync(string key)
    {
        var slot = (int)await RunAsync(0, "CLUSTER", "KEYSLOT", key);
        // The first slots of the masters are 0, 5461 and 10922.
        var owner = ((slot * Masters) + Masters - 1) / Slots;
        Assert.Equal(0, (int)await RunAsync(owner, "CLUSTER", "COUNTKEYSINSLOT", slot));
        var to = (owner + 1) % Masters;
        var id = await IdAsync(to);

        // A new owner that imports the slot takes an epoch above those that it knows. If it does not know the highest, a message of the
        // former owner takes the slot back.
        await UntilEpochIsKnownAsync();
        await RunAsync(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", await IdAsync(owner));
        await RunAsync(owner, "CLUSTER", "SETSLOT", slot, "MIGRATING", id);
        // The new owner first: it then knows the slot before a client is redirected to it.
        foreach (var i in Enumerable.Range(0, Masters).OrderByDescending(i => i == to))
            await RunAsync(i, "CLUSTER", "SETSLOT", slot, "NODE", id);
    }

    /// <summary>
    /// Returns when the replica has everything that the first master has. Redis replicates asynchronously, and WAIT counts from the
    /// last write of its own connection, so one is made. The key is in a slot of that master.
    /// </summary>
    public async Task UntilReplicatedAsync()
    {
        await RunAsync(0, "SET", "b", 1);
        Assert.Equal(1, (int)await RunAsync(0, "WAIT", 1, 8000));
    }

    /// <summary>Ends the first master, as a crash would; returns when its replica serves in its place.</summary>
    public async Task FailOverAsync()
    {
        await _nodes[0].StopAsync();
        await UntilAsync(Masters, ["INFO", "replication"], "role:master");
        await UntilAsync(Masters, ["CLUSTER", "INFO"], "cluster_state:ok");
        await UntilAsync(1, ["CLUSTER", "INFO"], "cluster_state:ok");
    }

    /// <summary>Counts the matching keys on all live nodes.</summary>
    public async Task<int> CountKeysAsync(string pattern)
    {
        var count = 0;
        for (var i = 0; i < Masters; i++) count += ((RedisResult[])(await RunAsync(i, "KEYS", pattern))!).Length;
        return count;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var admin in _admins) await admin.DisposeAsync();
        foreach (var node in _nodes) await node.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private async Task UntilEpochIsKnownAsync()
    {
        var highest = 0;
        for (var i = 0; i < Masters; i++) highest = Math.Max(highest, await EpochAsync(i));
        for (var i = 0; i < Masters; i++) await UntilAsync(i, ["CLUSTER", "INFO"], $"cluster_current_epoch:{highest}\r");
    }

    private async Task<int> EpochAsync(int node)
    {
        const string Field = "cluster_current_epoch:";
        var info = (string)(await RunAsync(node, "CLUSTER", "INFO"))!;
        var line = info.Split("\r\n").Single(line => line.StartsWith(Field, StringComparison.Ordinal));
        return int.Parse(line[Field.Length..], CultureInfo.InvariantCulture);
    }

    private async Task<string> IdAsync(int node) => ((string)(await RunAsync(node, "CLUSTER", "MYID"))!).Trim();

    private Task<RedisResult> RunAsync(int node, string command, params object[] arguments) =>
        _admins[node].GetServer(_nodes[node].Address)
            .ExecuteAsync(command, [.. arguments.Select(argument => Convert.ToString(argument, CultureInfo.InvariantCulture)!)]);

    private async Task UntilAsync(int node, string[] command, string text)
    {
        using var limit = new CancellationTokenSource(Limit);
        while (true)
        {
            var answer = (string)(await RunAsync(node, command[0], [.. command[1..]]))!;
            if (answer.Contains(text, StringComparison.Ordinal)) return;
            if (limit.IsCancellationRequested) Assert.Fail($"node {node} does not say '{text}' but: {answer}");
            await Task.Delay(50);
        }
    }
}
