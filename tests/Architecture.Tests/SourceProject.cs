using System.Collections.Concurrent;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace WebRtcIms.Architecture.Tests;

/// <summary>
/// A project compiled in memory from its sources, so that these tests build in seconds and see constants, casts and
/// attributes. Types of packages stay unresolved; names of the project itself do not need them.
/// </summary>
internal sealed class SourceProject
{
    private const string ImplicitUsings =
        """
        global using System;
        global using System.Collections.Generic;
        global using System.IO;
        global using System.Linq;
        global using System.Net.Http;
        global using System.Net.Http.Json;
        global using System.Threading;
        global using System.Threading.Tasks;
        global using Microsoft.AspNetCore.Builder;
        global using Microsoft.AspNetCore.Hosting;
        global using Microsoft.AspNetCore.Http;
        global using Microsoft.AspNetCore.Routing;
        global using Microsoft.Extensions.Configuration;
        global using Microsoft.Extensions.DependencyInjection;
        global using Microsoft.Extensions.Hosting;
        global using Microsoft.Extensions.Logging;
        """;

    private static readonly ConcurrentDictionary<string, Lazy<SourceProject>> Loaded = new();

    private static readonly MetadataReference[] Framework =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!)
            .Split(Path.PathSeparator)
            .Select(path => MetadataReference.CreateFromFile(path)),
    ];

    private readonly Dictionary<SyntaxTree, string> _folders = [];

    private SourceProject(string name)
    {
        Name = name;
        var options = new CSharpParseOptions(LanguageVersion.Preview);
        foreach (var file in Repository.Files)
        {
            if (!file.StartsWith($"{name}/", StringComparison.Ordinal) || Path.GetExtension(file) != ".cs") continue;
            var folder = Path.GetDirectoryName(file)![name.Length..].TrimStart('/', '\\').Replace('\\', '/');
            _folders.Add(CSharpSyntaxTree.ParseText(Repository.Read(file), options, file), folder);
        }

        var projects = Repository.ReferencesOf(name).Where(Products.All.Contains);
        Compilation = CSharpCompilation.Create(
            $"WebRtcIms.{name}",
            [.. _folders.Keys, CSharpSyntaxTree.ParseText(string.Join('\n', [ImplicitUsings, .. Repository.UsingsOf(name)]), options)],
            [.. Framework, .. projects.Select(project => Load(project).Compilation.ToMetadataReference())],
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true));
    }

    public string Name { get; }

    public CSharpCompilation Compilation { get; }

    public IEnumerable<SyntaxTree> Trees => _folders.Keys;

    public static SourceProject Load(string name) => Loaded.GetOrAdd(name, each => new(() => new SourceProject(each))).Value;

    /// <summary>The folder of a file of this project, empty for its root, null for other files.</summary>
    public string? FolderOf(SyntaxTree? tree) => tree is null ? null : _folders.GetValueOrDefault(tree);
}
