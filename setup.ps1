<#
.SYNOPSIS
Installs paddock for you alone, without rights of an administrator.
.DESCRIPTION
This file only finds a Python; what is done then is told, and done, by `paddock.install`, from this checkout or from
within the wheel that is named. Start it with: powershell -ExecutionPolicy Bypass -File setup.ps1
#>
param(
    [string]$From = "",
    [string]$Prefix = "",
    [string]$Bin = "",
    [switch]$Menu,
    [switch]$DryRun,
    [switch]$Uninstall
)
Set-StrictMode -Version 2.0
$ErrorActionPreference = "Stop"
# The bar of PowerShell's own downloads is slower than the downloads; nothing here needs it.
$ProgressPreference = "SilentlyContinue"

$fit = 'import sys, struct; sys.exit(0 if sys.version_info >= (3, 11) and struct.calcsize(''P'') == 8 else 1)'

function Find-Python {
    $candidates = @()
    if ($env:PADDOCK_PYTHON) { $candidates += , @($env:PADDOCK_PYTHON) }
    foreach ($version in "-3.13", "-3.12", "-3.11", "-3.14", "-3") { $candidates += , @("py", $version) }
    $candidates += , @("python")
    $candidates += , @("python3")
    foreach ($candidate in $candidates) {
        $program = Get-Command $candidate[0] -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1
        if (-not $program) { continue }
        # What the Store puts in the way of Python only opens the Store.
        if ($program.Source -like "*\WindowsApps\*" -and (Get-Item $program.Source).Length -eq 0) { continue }
        $more = @($candidate | Select-Object -Skip 1)
        $ErrorActionPreference = "Continue"
        & $program.Source @more -I -c $fit 2>$null | Out-Null
        $worked = $LASTEXITCODE -eq 0
        $ErrorActionPreference = "Stop"
        if ($worked) { return , (@($program.Source) + $more) }
    }
    return $null
}

$python = Find-Python
if (-not $python) {
    [Console]::Error.WriteLine("setup: no Python of 3.11 or newer, of 64 bits, was found. Get one, and start again:")
    [Console]::Error.WriteLine("    winget install --scope user Python.Python.3.12     (no administrator)")
    [Console]::Error.WriteLine("    or the installer of https://www.python.org/downloads/windows/, for this user only")
    [Console]::Error.WriteLine("A Python that lies elsewhere is named by the variable PADDOCK_PYTHON.")
    exit 1
}

$here = $PSScriptRoot
if (-not $From -and (Test-Path -LiteralPath (Join-Path $here "pyproject.toml"))) { $From = $here }
$moment = $null
if ($From -and (Test-Path -LiteralPath (Join-Path $From "src\paddock\install"))) {
    $sources = Join-Path $From "src"
} elseif ($From -and (Test-Path -LiteralPath $From -PathType Leaf)) {
    $sources = (Resolve-Path -LiteralPath $From).ProviderPath
} elseif (Test-Path -LiteralPath (Join-Path $here "src\paddock\install")) {
    $sources = Join-Path $here "src"
} elseif ($From) {
    # A package by name, and nothing of paddock here yet: its wheel is fetched first.
    $moment = Join-Path ([System.IO.Path]::GetTempPath()) ("paddock-" + [guid]::NewGuid().ToString("N"))
    New-Item -ItemType Directory -Path $moment | Out-Null
    Write-Output "Downloading $From, to install it from there."
    $rest = @($python | Select-Object -Skip 1)
    & $python[0] @rest -I -m pip --quiet download --no-deps "--only-binary=:all:" -d $moment $From
    if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
    $sources = (Get-ChildItem -LiteralPath $moment -Filter *.whl | Select-Object -First 1).FullName
} else {
    [Console]::Error.WriteLine("setup: name what is to be installed: setup.ps1 -From WHEEL, or -From PACKAGE.")
    exit 2
}

$words = @()
if ($From) { $words += "--from"; $words += $From }
if ($Prefix) { $words += "--prefix"; $words += $Prefix }
if ($Bin) { $words += "--bin"; $words += $Bin }
if ($Menu) { $words += "--menu" }
if ($DryRun) { $words += "--dry-run" }
if ($Uninstall) { $words += "--uninstall" }

$before = $env:PYTHONPATH
$env:PYTHONPATH = $sources
$env:PYTHONDONTWRITEBYTECODE = "1"
$env:PYTHONUTF8 = "1"
try {
    $rest = @($python | Select-Object -Skip 1)
    & $python[0] @rest -P -m paddock.install @words
    $status = $LASTEXITCODE
} finally {
    $env:PYTHONPATH = $before
    if ($moment) { Remove-Item -LiteralPath $moment -Recurse -Force -ErrorAction SilentlyContinue }
}
exit $status
