using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Aspire.Hosting.Running;

/// <summary>One life of a resource, from its start to its end.</summary>
internal interface IInstance
{
    /// <summary>Ends with the exit code.</summary>
    Task<int> Completion { get; }

    /// <summary>Asks it to end and, when the grace is over, ends it.</summary>
    Task StopAsync(TimeSpan grace, CancellationToken hurry);
}

/// <summary>A project's built assembly as a child process, in the folder of the project as <c>dotnet run</c> has it.</summary>
internal sealed class ProjectProcess : IInstance
{
    private static readonly string DotnetHost = FindDotnetHost();

    private readonly ProcessGuard _guard;
    private readonly Process _process;

    private ProjectProcess(ProcessGuard guard, Process process, Task output)
    {
        _guard = guard;
        _process = process;
        Completion = CompleteAsync(output);
    }

    public Task<int> Completion { get; }

    public static ProjectProcess Start(
        IProjectMetadata project, IReadOnlyDictionary<string, string> environment, ProcessGuard guard, Action<string, bool> writeLine)
    {
        if (!File.Exists(project.AssemblyPath))
            throw new DistributedApplicationException($"{project.AssemblyPath} is missing. Build the host's project, which builds it, too.");

        var start = new ProcessStartInfo(DotnetHost)
        {
            ArgumentList = { "exec", project.AssemblyPath },
            WorkingDirectory = Path.GetDirectoryName(project.ProjectPath)!,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment) start.Environment[name] = value;

        var process = Process.Start(start)!;
        guard.Add(process.Id);
        process.StandardInput.Close();
        var output = Task.WhenAll(ReadAsync(process.StandardOutput, false), ReadAsync(process.StandardError, true));
        return new ProjectProcess(guard, process, output);

        async Task ReadAsync(StreamReader reader, bool isError)
        {
            while (await reader.ReadLineAsync() is { } line) writeLine(line, isError);
        }
    }

    public async Task StopAsync(TimeSpan grace, CancellationToken hurry)
    {
        if (_guard.RequestStop(_process.Id))
        {
            try
            {
                await Completion.WaitAsync(grace, hurry);
                return;
            }
            catch (Exception error) when (error is TimeoutException or OperationCanceledException)
            {
                // It does not want to.
            }
        }

        _process.Kill(entireProcessTree: true);
        await Completion;
    }

    private async Task<int> CompleteAsync(Task output)
    {
        // Not WaitForExitAsync alone: it also waits for the end of the output, which a grandchild may hold open.
        var exited = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _process.Exited += (_, _) => exited.TrySetResult();
        _process.EnableRaisingEvents = true;
        await exited.Task;
        _guard.Remove(_process.Id);
        await Task.WhenAny(output, Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System));
        return _process.ExitCode;
    }

    // The host of the application itself may be the one that `dotnet run` made for it; the shared one lies above the runtime.
    private static string FindDotnetHost()
    {
        var name = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        var shared = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", name));
        return File.Exists(shared) ? shared : name;
    }
}
