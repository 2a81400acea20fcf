using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Settings.Tests;

/// <summary>The result of a part that was started in this process, and stopped as soon as it had started.</summary>
/// <param name="ExitCode">0 when it has started.</param>
/// <param name="Error">Standard error.</param>
/// <param name="Log">Standard output.</param>
public sealed record PartRun(int ExitCode, string Error, string Log)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>Runs the program with its ordinary settings and these. Only one may run at a time: the console is shared.</summary>
    public static PartRun Of(Part part, string folder, params (string Name, string Value)[] settings)
    {
        var all = part.Good(folder).ToDictionary(setting => setting.Name, setting => setting.Value, StringComparer.OrdinalIgnoreCase);
        foreach (var (name, value) in settings) all[name] = value;
        string[] arguments =
            [$"--contentRoot={Repository.PathOf(part.Name)}", .. all.Select(setting => $"--{setting.Key}={setting.Value}")];
        return Run(part, arguments);
    }

    private static PartRun Run(Part part, string[] arguments)
    {
        using var error = new StringWriter();
        using var log = new StringWriter();
        var (oldError, oldLog) = (Console.Error, Console.Out);
        Console.SetError(TextWriter.Synchronized(error));
        Console.SetOut(TextWriter.Synchronized(log));
        try
        {
            using var stop = DiagnosticListener.AllListeners.Subscribe(new StopAtStart());
            object? exitCode = null;
            Exception? failure = null;
            var thread = new Thread(() =>
            {
                try
                {
                    exitCode = part.Assembly.EntryPoint!.Invoke(null, [arguments]);
                }
                catch (Exception thrown)
                {
                    failure = thrown.InnerException ?? thrown;
                }
            });
            thread.Start();
            if (!thread.Join(Limit)) throw new TimeoutException($"{part} neither starts nor ends:\n{log}");
            return failure is null
                ? new((int)exitCode!, error.ToString(), log.ToString())
                : new(-1, $"{error}\nUnhandled: {failure}", log.ToString());
        }
        finally
        {
            Console.SetError(oldError);
            Console.SetOut(oldLog);
        }
    }

    /// <summary>Stops each host once it has started.</summary>
    private sealed class StopAtStart : IObserver<DiagnosticListener>, IObserver<KeyValuePair<string, object?>>
    {
        public void OnNext(DiagnosticListener value)
        {
            if (value.Name == "Microsoft.Extensions.Hosting") value.Subscribe(this);
        }

        public void OnNext(KeyValuePair<string, object?> value)
        {
            if (value is not { Key: "HostBuilt", Value: IHost host }) return;
            var lifetime = host.Services.GetRequiredService<IHostApplicationLifetime>();
            lifetime.ApplicationStarted.Register(lifetime.StopApplication);
        }

        public void OnCompleted()
        {
        }

        public void OnError(Exception error)
        {
        }
    }
}
