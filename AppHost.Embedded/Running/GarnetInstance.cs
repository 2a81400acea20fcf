using System.Globalization;
using Aspire.Hosting.ApplicationModel;
using Garnet;
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
        var server = new GarnetServer(
            [
                "--bind", redis.PrimaryEndpoint.Host,
                "--port", redis.PrimaryEndpoint.Port.ToString(CultureInfo.InvariantCulture),
                "--auth", "Password",
                "--password", redis.Password,
                "--memory", "64m",
                "--page", "4m",
                "--index", "8m",
                "--lua", "true",
                "-q",
            ],
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
