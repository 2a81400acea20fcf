using System.Net;
using Aspire.Hosting.ApplicationModel;
using Garnet;
using Garnet.server;
using Garnet.server.Auth.Settings;
using Microsoft.Extensions.Logging.Abstractions;

namespace Aspire.Hosting.Running;

/// <summary>Redis within this process: a small Garnet store that forgets everything when it is stopped.</summary>
internal sealed class GarnetInstance : IInstance
{
    private readonly TaskCompletionSource<int> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly GarnetServer _server;

    private GarnetInstance(GarnetServer server) => _server = server;

    public Task<int> Completion => _completion.Task;

    public static GarnetInstance Start(RedisResource redis)
    {
        // Options, not a command line: parsing one takes longer than all the rest, and everything waits for Redis.
        var server = new GarnetServer(
            new GarnetServerOptions(NullLogger.Instance)
            {
                EndPoints = [new IPEndPoint(IPAddress.Parse(redis.PrimaryEndpoint.Host), redis.PrimaryEndpoint.Port)],
                AuthSettings = new PasswordAuthenticationSettings(redis.Password),
                LogMemorySize = "64m",
                PageSize = "4m",
                IndexMemorySize = "8m",
                EnableLua = true,
                LuaOptions = new LuaOptions(NullLogger.Instance),
                QuietMode = true,
            },
            NullLoggerFactory.Instance);
        server.Start();
        return new GarnetInstance(server);
    }

    public async Task StopAsync(TimeSpan grace, CancellationToken hurry)
    {
        await Task.Run(_server.Dispose, CancellationToken.None).WaitAsync(grace, CancellationToken.None);
        _completion.TrySetResult(0);
    }
}
